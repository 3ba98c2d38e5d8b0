// The kinds of value that more than one section of the configuration holds.

#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "app/config/section.h"
#include "base/key.h"
#include "base/secret.h"
#include "base/socket_address.h"

namespace floe::config {

/// The name that `key` holds, made of what can stand in commands and file names. Nothing if the key
/// is absent or was refused; so for all of these.
[[nodiscard]] std::optional<Text> ReadName(const Section& section, std::string_view key);

/// Whether `name` is 1 to 63 letters, digits, dots, hyphens and underscores and begins with a
/// letter or digit.
[[nodiscard]] bool IsNodeName(std::string_view name);

/// The file that `key` names, empty if none. Relative names start at `directory`.
[[nodiscard]] std::filesystem::path PathNamedBy(const Section& section, std::string_view key,
                                                const std::filesystem::path& directory);

/// The content of the file that `key` names. Relative names start at `directory`.
[[nodiscard]] std::optional<SecretString> ReadSecretNamedBy(const Section& section,
                                                            std::string_view key,
                                                            const std::filesystem::path& directory);

/// The same for a file that holds a key of 32 bytes in base64.
[[nodiscard]] std::optional<Secret<kKeySize>> ReadKeyNamedBy(
    const Section& section, std::string_view key, const std::filesystem::path& directory);

/// One element of the array at `key`, as a network. Bits behind the prefix length are cleared and
/// kept in `host`, if given.
[[nodiscard]] std::optional<IpPrefix> ReadPrefix(const Section& section, std::string_view key,
                                                 const Text& text, IpAddress* host = nullptr);

}  // namespace floe::config
