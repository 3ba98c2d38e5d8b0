#include "app/floed/runtime/server_directory.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/proxy.h"
#include "ice/turn/authenticator.h"

namespace floe::daemon {
namespace {

constexpr std::chrono::hours kRestLifetime{24};
constexpr Duration kTryAgain = std::chrono::seconds(30);

ice::RelayTransport ToIce(config::RelayTransport transport) {
  switch (transport) {
    case config::RelayTransport::kUdp:
      return ice::RelayTransport::kUdp;
    case config::RelayTransport::kTcp:
      return ice::RelayTransport::kTcp;
    case config::RelayTransport::kTls:
      return ice::RelayTransport::kTls;
  }
  return ice::RelayTransport::kUdp;
}

void AddRelay(std::vector<ServerName>& servers, const config::RelayUrl& url,
              const std::string& username, const SecretString& password) {
  servers.push_back({.server = url.server,
                     .relay = true,
                     .transport = ToIce(url.transport),
                     .username = username,
                     .password = password.Clone()});
}

}  // namespace

std::vector<ServerName> ConfiguredServers(const config::Config& config,
                                          std::chrono::seconds unix_time) {
  std::vector<ServerName> servers;
  for (const config::StunUrl& url : config.stun) {
    servers.push_back({.server = url.server});
  }
  for (const config::RelayConfig& relay : config.relays) {
    std::string username = relay.username;
    SecretString password;
    if (relay.password) {
      password = relay.password->Clone();
    } else if (relay.shared_secret) {
      username = ice::turn::RestUsername(unix_time + kRestLifetime, relay.username);
      password = ice::turn::RestPassword(*relay.shared_secret, username);
    }
    for (const config::RelayUrl& url : relay.urls) {
      AddRelay(servers, url, username, password);
    }
  }
  return servers;
}

std::optional<Duration> CredentialLifetime(const config::Config& config) {
  const bool made = std::ranges::any_of(
      config.relays, [](const auto& relay) { return relay.shared_secret.has_value(); });
  return made ? std::optional<Duration>(kRestLifetime) : std::nullopt;
}

std::vector<ServerName> OfferedServers(const signaling::Welcome& welcome) {
  std::vector<ServerName> servers;
  for (const std::string& text : welcome.stun) {
    if (const auto url = config::ParseStunUrl(text)) {
      servers.push_back({.server = url->server});
    }
  }
  for (const signaling::TurnCredentials& turn : welcome.turn) {
    for (const std::string& text : turn.urls) {
      if (const auto url = config::ParseRelayUrl(text)) {
        AddRelay(servers, *url, turn.username, turn.password);
      }
    }
  }
  return servers;
}

ServerDirectory::ServerDirectory(uv::Loop& loop, std::function<void(engine::Servers)> on_servers)
    : on_servers_(std::move(on_servers)), resolver_(loop), again_(loop, [this] {
        next_ = 0;
        Next();
      }) {}

void ServerDirectory::Resolve(std::vector<ServerName> names) {
  resolver_.Cancel();
  again_.ArmAt(std::nullopt);
  const std::vector<ServerName> before = std::exchange(names_, std::move(names));
  const std::vector<std::vector<SocketAddress>> found_before = std::exchange(found_, {});
  found_.resize(names_.size());
  next_ = 0;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (const auto ip = ParseIpAddress(names_[i].server.host)) {
      found_[i] = {{*ip, names_[i].server.port}};
      continue;
    }
    const auto known = std::ranges::find_if(before, [&](const ServerName& name) {
      return name.server == names_[i].server && name.transport == names_[i].transport;
    });
    if (known != before.end()) {
      found_[i] = found_before[static_cast<std::size_t>(known - before.begin())];
    }
  }
  Report();
  Next();
}

void ServerDirectory::Next() {
  while (next_ < names_.size() && ParseIpAddress(names_[next_].server.host)) {
    ++next_;
  }
  if (next_ == names_.size()) {
    if (std::exchange(missed_, false)) {
      again_.ArmAt(uv::Loop::Now() + kTryAgain);
    }
    return;
  }
  const config::HostPort& server = names_[next_].server;
  if (auto started = resolver_.Start(server.host, server.port,
                                     [this](Result<std::vector<SocketAddress>> resolved) {
                                       HandleResolved(std::move(resolved));
                                     });
      !started) {
    HandleResolved(Fail(std::move(started.error())));
  }
}

void ServerDirectory::HandleResolved(Result<std::vector<SocketAddress>> resolved) {
  if (resolved) {
    found_[next_] = std::move(*resolved);
    Report();
  } else if (names_[next_].transport != ice::RelayTransport::kUdp &&
             FindProxyInEnvironment(names_[next_].server.host)) {
    // The proxy knows names that we cannot look up, and connects to them by name.
    found_[next_] = {{{}, names_[next_].server.port}};
    Report();
  } else {
    log::Warn("{}: {}", resolved.error().context, resolved.error().code.message());
    missed_ = true;
  }
  ++next_;
  Next();
}

void ServerDirectory::Report() {
  engine::Servers servers;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    for (const SocketAddress& address : found_[i]) {
      if (names_[i].relay) {
        servers.relays.push_back({.address = address,
                                  .username = names_[i].username,
                                  .password = names_[i].password.Clone(),
                                  .transport = names_[i].transport,
                                  .name = names_[i].server.host});
      } else {
        servers.stun.push_back(address);
      }
    }
  }
  on_servers_(std::move(servers));
}

}  // namespace floe::daemon
