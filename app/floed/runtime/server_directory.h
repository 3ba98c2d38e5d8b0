// Turns the STUN and TURN servers of the configuration, or those a rendezvous hands out, into
// addresses.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/floed/engine/engine.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/resolver.h"
#include "base/uv/timer.h"

namespace floe::daemon {

/// A server as it is written down.
struct ServerName {
  config::HostPort server;
  bool relay = false;
  ice::RelayTransport transport = ice::RelayTransport::kUdp;  // Of a relay.
  std::string username;                                       // Of a relay.
  SecretString password;
};

/// The servers of floe.toml. With a shared secret, credentials are made that are good for a day
/// from `unix_time`.
[[nodiscard]] std::vector<ServerName> ConfiguredServers(const config::Config& config,
                                                        std::chrono::seconds unix_time);

/// How long their credentials are good for; nothing if for ever.
[[nodiscard]] std::optional<Duration> CredentialLifetime(const config::Config& config);

/// The same of what a rendezvous hands out. What cannot be read is left out.
[[nodiscard]] std::vector<ServerName> OfferedServers(const signaling::Welcome& welcome);

/// Looks names up one after the other and reports after each, so that one that hangs delays none
/// but those behind it; numeric addresses need no look-up and are reported at once. A name that was
/// found before keeps its addresses until it is found again. What is not found is tried again.
class ServerDirectory {
 public:
  /// The loop must outlive it.
  ServerDirectory(uv::Loop& loop, std::function<void(engine::Servers)> on_servers);

  /// Replaces what was asked for before.
  void Resolve(std::vector<ServerName> names);

 private:
  void Next();
  void HandleResolved(Result<std::vector<SocketAddress>> resolved);
  void Report();

  std::vector<ServerName> names_;
  std::vector<std::vector<SocketAddress>> found_;  // For each name.
  std::size_t next_ = 0;
  bool missed_ = false;  // One that was not found.
  std::function<void(engine::Servers)> on_servers_;
  uv::Resolver resolver_;
  uv::Timer again_;
};

}  // namespace floe::daemon
