// A node that a test plays by hand: it records what it gets and sends what it is told.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/node.h"

namespace floe::sim {

/// After Send() and the stream calls, Host::Poke() makes them happen.
class ScriptedNode : public Node {
 public:
  struct Datagram {
    TimePoint at;
    SocketAddress local;
    SocketAddress remote;
    std::string payload;
  };

  struct StreamEvent {
    enum class Kind : std::uint8_t { kOpened, kBytes, kClosed };
    Kind kind = Kind::kOpened;
    TimePoint at;
    StreamId id = 0;
    std::string bytes;     // kBytes
    SocketAddress remote;  // kOpened
  };

  std::vector<Datagram> received;
  std::vector<StreamEvent> stream_events;
  std::vector<TimePoint> timeouts;
  std::vector<IpAddress> addresses;
  std::optional<TimePoint> next_timeout;  // Cleared by the timeout.
  std::optional<std::uint16_t> listens;   // the port that streams may be opened to

  void Send(const SocketAddress& local, const SocketAddress& remote, std::string_view payload) {
    const Bytes bytes = AsBytes(payload);
    transmits_.push_back(
        {.local = local, .remote = remote, .payload = {bytes.begin(), bytes.end()}});
  }

  void Open(StreamId id, const SocketAddress& remote) {
    actions_.emplace_back(OpenStream{.id = id, .remote = remote});
  }

  void Write(StreamId id, std::string_view text) {
    const Bytes bytes = AsBytes(text);
    actions_.emplace_back(WriteStream{.id = id, .bytes = {bytes.begin(), bytes.end()}});
  }

  void Close(StreamId id) { actions_.emplace_back(CloseStream{.id = id}); }

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override {
    received.push_back(
        {.at = now, .local = local, .remote = remote, .payload = std::string(AsText(datagram))});
  }

  void HandleTimeout(TimePoint now) override {
    timeouts.push_back(now);
    next_timeout.reset();
  }

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const override { return next_timeout; }

  [[nodiscard]] std::optional<Transmit> PollTransmit() override { return Pop(transmits_); }

  void HandleAddresses(TimePoint /*now*/, std::span<const IpAddress> current) override {
    addresses.assign(current.begin(), current.end());
  }

  [[nodiscard]] bool AcceptsStreams(const SocketAddress& local) const override {
    return listens == local.port;
  }

  void HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& remote) override {
    stream_events.push_back(
        {.kind = StreamEvent::Kind::kOpened, .at = now, .id = id, .remote = remote});
  }

  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) override {
    stream_events.push_back({.kind = StreamEvent::Kind::kBytes,
                             .at = now,
                             .id = id,
                             .bytes = std::string(AsText(bytes))});
  }

  void HandleStreamClosed(TimePoint now, StreamId id) override {
    stream_events.push_back({.kind = StreamEvent::Kind::kClosed, .at = now, .id = id});
  }

  [[nodiscard]] std::optional<StreamAction> PollStream() override { return Pop(actions_); }

 private:
  template <typename T>
  static std::optional<T> Pop(std::deque<T>& queue) {
    if (queue.empty()) {
      return std::nullopt;
    }
    std::optional<T> first = std::move(queue.front());
    queue.pop_front();
    return first;
  }

  std::deque<Transmit> transmits_;
  std::deque<StreamAction> actions_;
};

}  // namespace floe::sim
