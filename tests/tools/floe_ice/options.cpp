#include "tests/tools/floe_ice/options.h"

#include <sstream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

namespace floe::tools {
namespace {

/// The arguments as they were written, before they are checked.
struct Texts {
  std::string role;
  std::vector<std::string> stun;
  std::vector<std::string> turn;
  std::vector<std::string> users;
  std::vector<std::string> passwords;
  std::vector<std::string> bind;
  bool relay_only = false;
  bool no_tcp = false;
};

tl::unexpected<OptionsExit> Mistake(const std::string& text) {
  return Fail(OptionsExit{.code = 2, .text = "floe-ice: " + text + "\n"});
}

Result<std::vector<RelayOption>, OptionsExit> ReadRelays(const Texts& texts) {
  const auto fits = [&](std::size_t count) {
    return count == texts.turn.size() || (count == 1 && !texts.turn.empty());
  };
  if (!fits(texts.users.size()) || !fits(texts.passwords.size())) {
    return Mistake("--turn needs a --turn-user and a --turn-pass, one each or one pair for all");
  }
  std::vector<RelayOption> relays;
  for (std::size_t i = 0; i < texts.turn.size(); ++i) {
    auto url = config::ParseRelayUrl(texts.turn[i]);
    if (!url) {
      return Mistake("--turn " + texts.turn[i] + ": " + std::string(ToString(url.error())) +
                     "; write turn:HOST:PORT?transport=udp or turns:HOST:PORT?transport=tcp");
    }
    relays.push_back(
        {.url = std::move(*url),
         .username = texts.users[texts.users.size() == 1 ? 0 : i],
         .password = SecretString(texts.passwords[texts.passwords.size() == 1 ? 0 : i])});
  }
  return relays;
}

Result<Options, OptionsExit> Check(const Texts& texts) {
  Options options{.relay_only = texts.relay_only, .tcp = !texts.no_tcp};
  if (texts.role == "controlling") {
    options.role = ice::Role::kControlling;
  } else if (texts.role != "controlled") {
    return Mistake("--role is controlling or controlled, not " + texts.role);
  }
  for (const std::string& text : texts.stun) {
    const auto url = config::ParseStunUrl(text.starts_with("stun:") ? text : "stun:" + text);
    if (!url) {
      return Mistake("--stun " + text + ": " + std::string(ToString(url.error())) +
                     "; write HOST:PORT");
    }
    options.stun.push_back(url->server);
  }
  auto relays = ReadRelays(texts);
  if (!relays) {
    return Fail(std::move(relays.error()));
  }
  options.relays = std::move(*relays);
  for (const std::string& text : texts.bind) {
    const auto ip = ParseIpAddress(text);
    if (!ip) {
      return Mistake("--bind " + text + ": not an IP address");
    }
    options.bind.push_back(*ip);
  }
  return options;
}

}  // namespace

Result<Options, OptionsExit> ParseOptions(int argc, const char* const* argv) {
  Texts texts;
  CLI::App app("floe-ice, floe's ICE agent on standard input and output, to be paired with others",
               "floe-ice");
  app.add_option("--role", texts.role, "controlling or controlled")->required();
  app.add_option("--stun", texts.stun, "A STUN server, HOST:PORT; may repeat")
      ->allow_extra_args(false);
  app.add_option("--turn", texts.turn, "A TURN server as RFC 7065 writes it; may repeat")
      ->allow_extra_args(false);
  app.add_option("--turn-user", texts.users, "Its user")->allow_extra_args(false);
  app.add_option("--turn-pass", texts.passwords, "Its password")->allow_extra_args(false);
  app.add_flag("--relay-only", texts.relay_only, "Signal and answer on relayed addresses alone");
  app.add_flag("--no-tcp", texts.no_tcp, "No ICE over TCP");
  app.add_option("--bind", texts.bind, "An address to use; may repeat. Default: all usable ones")
      ->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    return Fail(OptionsExit{.code = code == 0 ? 0 : 2, .text = text.str()});
  }
  return Check(texts);
}

}  // namespace floe::tools
