// The command line of floe-ice.
//
// Source: DESIGN.md, "floe-ice".

#pragma once

#include <string>
#include <vector>

#include "app/config/url.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "ice/checklist.h"

namespace floe::tools {

struct RelayOption {
  config::RelayUrl url;
  std::string username;
  SecretString password;
};

struct Options {
  ice::Role role = ice::Role::kControlled;
  std::vector<config::HostPort> stun;
  std::vector<RelayOption> relays;
  bool relay_only = false;
  bool tcp = true;
  std::vector<IpAddress> bind;  // Empty: all usable addresses of this machine.
};

/// What to print instead of running, and what to exit with: 0 for help, 2 for a mistake.
struct OptionsExit {
  int code = 2;
  std::string text;
};

[[nodiscard]] Result<Options, OptionsExit> ParseOptions(int argc, const char* const* argv);

}  // namespace floe::tools
