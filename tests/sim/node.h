// What runs on a simulated host: a state machine without I/O, wrapped.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::sim {

/// Names a stream at one node. Those a node opens it numbers itself, below kAcceptedStream; those
/// it accepts are numbered for it, above.
using StreamId = std::uint64_t;

inline constexpr StreamId kAcceptedStream = StreamId{1} << 63U;

/// The host calls one Handle function, drains PollTransmit() and PollStream(), and sleeps until
/// NextTimeout() or the next input.
class Node {
 public:
  struct Transmit {
    SocketAddress local;  // An unspecified address means the host's first of the remote's family.
    SocketAddress remote;
    std::vector<std::uint8_t> payload;
  };

  /// Ends in HandleStreamOpened() or HandleStreamClosed().
  struct OpenStream {
    StreamId id;
    SocketAddress remote;
  };

  struct WriteStream {
    StreamId id;
    std::vector<std::uint8_t> bytes;
  };

  /// Nothing more is heard of the stream; the other end is told behind what was written.
  struct CloseStream {
    StreamId id;
  };

  using StreamAction = std::variant<OpenStream, WriteStream, CloseStream>;

  Node() = default;
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  virtual void HandleDatagram(TimePoint now, const SocketAddress& local,
                              const SocketAddress& remote, Bytes datagram) = 0;
  virtual void HandleTimeout(TimePoint now) = 0;
  [[nodiscard]] virtual std::optional<TimePoint> NextTimeout() const = 0;
  [[nodiscard]] virtual std::optional<Transmit> PollTransmit() = 0;

  /// The addresses of the host: when the node is attached, and after each change.
  virtual void HandleAddresses(TimePoint /*now*/, std::span<const IpAddress> /*addresses*/) {}

  /// Whether somebody may open a stream to `local`.
  [[nodiscard]] virtual bool AcceptsStreams(const SocketAddress& /*local*/) const { return false; }

  /// A stream of ours is connected, or one to us is accepted; `remote` is the other end as seen
  /// from here, behind any NAT.
  virtual void HandleStreamOpened(TimePoint /*now*/, StreamId /*id*/,
                                  const SocketAddress& /*remote*/) {}

  virtual void HandleStreamBytes(TimePoint /*now*/, StreamId /*id*/, Bytes /*bytes*/) {}

  /// Refused, closed by the other end, or dead. Not called for one we closed ourselves.
  virtual void HandleStreamClosed(TimePoint /*now*/, StreamId /*id*/) {}

  [[nodiscard]] virtual std::optional<StreamAction> PollStream() { return std::nullopt; }
};

}  // namespace floe::sim
