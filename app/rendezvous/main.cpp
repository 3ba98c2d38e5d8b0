// floe-rendezvous: the server that floe nodes meet at.

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/control/exit_code.h"
#include "app/rendezvous/config.h"
#include "app/rendezvous/server.h"
#include "base/log.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/tls/context.h"

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

std::optional<rendezvous::ServerConfig> DevConfig(const std::vector<std::string>& listen) {
  rendezvous::ServerConfig config;
  for (const std::string& text : listen) {
    const auto address = ParseListen(text);
    if (!address || address->ip.is_unspecified()) {
      std::fprintf(stderr,
                   "floe-rendezvous: --listen %s: not an address; write ADDRESS or ADDRESS:PORT, "
                   "with IPv6 in brackets where there is a port, and no wildcard: nodes are told "
                   "this address\n",
                   text.c_str());
      return std::nullopt;
    }
    config.listen.push_back(*address);
  }
  if (config.listen.empty()) {
    config.listen.push_back({IpAddress::V4(127, 0, 0, 1), rendezvous::kDefaultSignalingPort});
  }
  config.addresses = rendezvous::AddressesOf(config.listen);
  return config;
}

std::optional<rendezvous::ServerConfig> FileConfig(const std::string& path) {
  auto config = rendezvous::LoadServerConfig(path);
  if (!config) {
    std::fprintf(stderr, "floe-rendezvous: %s\n", config::ToString(config.error()).c_str());
    return std::nullopt;
  }
  return *std::move(config);
}

int Complain(const Error& error) {
  const std::string reason = error.code ? ": " + error.code.message() : std::string();
  std::fprintf(stderr, "floe-rendezvous: %s%s\n", error.context.c_str(), reason.c_str());
  return ToInt(control::ExitCode::kNo);
}

int Serve(const rendezvous::ServerConfig& config) {
  log::Init(log::Level::kInfo);
  auto server = rendezvous::Server::Make(config);
  if (!server) {
    return Complain(server.error());
  }
  for (const SocketAddress& address : config.listen) {
    log::Info("signaling on {}://{}", config.tls ? "wss" : "ws", ToString(address));
  }
  for (const IpAddress& ip : config.addresses) {
    log::Info("STUN and TURN on {}, UDP port {}", ToString(ip), rendezvous::kStunPort);
  }
  (*server)->Run();
  return ToInt(control::ExitCode::kDone);
}

int Check(const std::string& path, const rendezvous::ServerConfig& config) {
  if (config.tls) {
    if (const auto context = tls::Context::MakeServer(config.tls->certificate, config.tls->key);
        !context) {
      return Complain(context.error());
    }
  }
  std::printf("%s is right\n", path.c_str());
  return ToInt(control::ExitCode::kDone);
}

}  // namespace
}  // namespace floe

constexpr const char* kDefaultConfig = "/etc/floe/floe-rendezvous.toml";

int main(int argc, char** argv) {
  CLI::App app("floe-rendezvous, the server that floe nodes meet at", "floe-rendezvous");
  app.set_version_flag("--version", FLOE_VERSION);
  app.require_subcommand(1);
  CLI::App* serve = app.add_subcommand("serve", "Serve until SIGTERM");
  std::string file = kDefaultConfig;
  bool dev = false;
  std::vector<std::string> listen;
  CLI::Option* named = serve->add_option("--config", file, "The configuration")->type_name("FILE");
  CLI::Option* dev_option =
      serve->add_flag("--dev", dev, "Without TLS and in memory, on loopback unless told otherwise");
  dev_option->excludes(named);
  serve->add_option("--listen", listen, "With --dev: ADDRESS[:PORT] to serve; may be repeated")
      ->type_name("ADDRESS[:PORT]")
      ->needs(dev_option);
  CLI::App* check = app.add_subcommand("check", "Say whether the configuration is right");
  check->add_option("--config", file, "The configuration")->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : floe::ToInt(floe::control::ExitCode::kUsage);
  }
  const auto config = dev ? floe::DevConfig(listen) : floe::FileConfig(file);
  if (!config) {
    return floe::ToInt(floe::control::ExitCode::kUsage);
  }
  return check->parsed() ? floe::Check(file, *config) : floe::Serve(*config);
}
