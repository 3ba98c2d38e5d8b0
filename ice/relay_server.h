// A TURN server as it is configured, and what its streams are asked to do.

#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "base/socket_address.h"

namespace floe::ice {

/// How we talk to a relay. The earlier, the better.
enum class RelayTransport : std::uint8_t { kUdp, kTcp, kTls };

/// One address of a TURN server, and one transport to it. Several with the same name are ways to
/// the same server: they are raced, and the best that works is kept.
struct RelayServer {
  SocketAddress address;
  std::string username;
  SecretString password;
  RelayTransport transport = RelayTransport::kUdp;
  /// The host of its URI: whom its certificate must name. Empty: its address.
  std::string name = {};

  [[nodiscard]] RelayServer Clone() const {
    return {.address = address,
            .username = username,
            .password = password.Clone(),
            .transport = transport,
            .name = name};
  }

  [[nodiscard]] std::string host() const { return name.empty() ? ToString(address.ip) : name; }
};

// What the owner of a gatherer is to do with streams, in this order. An id is never used again.

using StreamId = std::uint64_t;

/// Connect, and tell the gatherer by HandleStreamOpened() or HandleStreamClosed().
struct OpenStream {
  StreamId id = 0;
  SocketAddress remote;
  RelayTransport transport = RelayTransport::kTcp;  // kTcp or kTls.
  std::string name;  // Of the server: for its certificate, and for a proxy to connect to.
};

struct WriteStream {
  StreamId id = 0;
  std::vector<std::uint8_t> bytes;
  bool droppable = false;  // Data: where too much is waiting, the oldest goes. Else it must not.
};

/// Close it once all is written, and say nothing more of it.
struct CloseStream {
  StreamId id = 0;
};

using StreamAction = std::variant<OpenStream, WriteStream, CloseStream>;

}  // namespace floe::ice
