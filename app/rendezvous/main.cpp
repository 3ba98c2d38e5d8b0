// floe-rendezvous: the server that floe nodes meet at.

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/control/exit_code.h"
#include "app/rendezvous/server.h"
#include "base/log.h"
#include "base/socket_address.h"

namespace floe {
namespace {

int ToInt(control::ExitCode code) {
  return static_cast<int>(code);
}

/// "192.0.2.1", "192.0.2.1:8080", "2001:db8::1" or "[2001:db8::1]:8080".
std::optional<SocketAddress> ParseListen(const std::string& text) {
  if (auto ip = ParseIpAddress(text)) {
    return SocketAddress{*ip, rendezvous::kDefaultSignalingPort};
  }
  return ParseSocketAddress(text);
}

control::ExitCode Serve(bool dev, const std::vector<std::string>& listen) {
  if (!dev) {
    std::fprintf(stderr,
                 "floe-rendezvous: serving the open internet with TLS is not in this version; "
                 "use --dev, on loopback or behind something that adds TLS\n");
    return control::ExitCode::kUsage;
  }
  rendezvous::ServerConfig config;
  for (const std::string& text : listen) {
    const auto address = ParseListen(text);
    if (!address || address->ip.is_unspecified()) {
      std::fprintf(stderr,
                   "floe-rendezvous: --listen %s: not an address; write ADDRESS or ADDRESS:PORT, "
                   "with IPv6 in brackets where there is a port, and no wildcard: nodes are told "
                   "this address\n",
                   text.c_str());
      return control::ExitCode::kUsage;
    }
    config.listen.push_back(*address);
  }
  if (config.listen.empty()) {
    config.listen.push_back({IpAddress::V4(127, 0, 0, 1), rendezvous::kDefaultSignalingPort});
  }
  log::Init(log::Level::kInfo);
  auto server = rendezvous::Server::Make(config);
  if (!server) {
    std::fprintf(stderr, "floe-rendezvous: %s: %s\n", server.error().context.c_str(),
                 server.error().code.message().c_str());
    return control::ExitCode::kNo;
  }
  for (const SocketAddress& address : config.listen) {
    log::Info("signaling on ws://{}, STUN and TURN on UDP port {}", ToString(address),
              rendezvous::kStunPort);
  }
  (*server)->Run();
  return control::ExitCode::kDone;
}

}  // namespace
}  // namespace floe

int main(int argc, char** argv) {
  CLI::App app("floe-rendezvous, the server that floe nodes meet at", "floe-rendezvous");
  app.set_version_flag("--version", FLOE_VERSION);
  app.require_subcommand(1);
  CLI::App* serve = app.add_subcommand("serve", "Serve until SIGTERM");
  bool dev = false;
  std::vector<std::string> listen;
  serve->add_flag("--dev", dev, "Without TLS and in memory, on loopback unless told otherwise");
  serve->add_option("--listen", listen, "ADDRESS[:PORT] to serve on; may be repeated")
      ->type_name("ADDRESS[:PORT]");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : floe::ToInt(floe::control::ExitCode::kUsage);
  }
  return floe::ToInt(floe::Serve(dev, listen));
}
