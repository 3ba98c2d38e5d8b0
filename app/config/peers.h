// Reads the [[peer]] tables and checks them against the node and against each other.

#pragma once

#include <filesystem>
#include <vector>

#include "app/config/config.h"
#include "app/config/config_error.h"
#include "app/config/document.h"

namespace floe::config {

/// `tables` is the array of [[peer]] tables, `node` has been read, `directory` is where relative
/// paths start. What is refused goes to `errors`, and the result means nothing then.
[[nodiscard]] std::vector<PeerConfig> ReadPeers(const std::vector<Value>& tables,
                                                const NodeConfig& node,
                                                const std::filesystem::path& directory,
                                                ErrorLog& errors);

}  // namespace floe::config
