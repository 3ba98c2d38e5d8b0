// Two tunnels that are each other's peer, a network between them, and virtual time.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/key.h"
#include "base/time.h"
#include "tests/support/fake_random.h"
#include "tunnel/tunnel.h"

namespace floe::test {

inline constexpr std::uint8_t kUdp = 17;

/// An IPv4 packet of 20 bytes and `payload`, with nothing in it that a tunnel does not look at.
inline std::vector<std::uint8_t> MakeIpv4(const IpAddress& source, const IpAddress& destination,
                                          std::string_view payload) {
  std::vector<std::uint8_t> packet(20);
  packet[0] = 0x45;
  StoreBe<std::uint16_t>(packet, 2, static_cast<std::uint16_t>(20 + payload.size()));
  packet[9] = kUdp;
  std::ranges::copy(source.octets(), packet.begin() + 12);
  std::ranges::copy(destination.octets(), packet.begin() + 16);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

/// Node A has the lower public key, the address 10.0.0.1 and the allowed IPs 10.0.0.2/32 for B; and
/// the other way round. Each knows the other as peer kPeer.
class TunnelPair {
 public:
  enum Side : std::uint8_t { kA, kB };

  static constexpr tunnel::PeerId kPeer = 7;

  struct Options {
    std::uint64_t seed = 1;
    std::optional<std::uint8_t> preshared_a;  // Fills a preshared key.
    std::optional<std::uint8_t> preshared_b;
    Duration keepalive_a{0};
    Duration latency = std::chrono::milliseconds(20);  // one way
    tunnel::HandshakeLimits limits_b{};
  };

  /// Everything that left a side, whether it arrived or not.
  struct Sent {
    TimePoint at;
    Side from;
    std::vector<std::uint8_t> bytes;

    [[nodiscard]] std::uint8_t type() const { return bytes[0]; }

    [[nodiscard]] bool is_keepalive() const { return type() == 4 && bytes.size() == 32; }

    [[nodiscard]] bool is_data() const { return type() == 4 && bytes.size() > 32; }
  };

  explicit TunnelPair(const Options& options) : options_(options), random_(options.seed) {
    PrivateKey a = GeneratePrivateKey(random_);
    PrivateKey b = GeneratePrivateKey(random_);
    if (DerivePublicKey(b) < DerivePublicKey(a)) {
      std::swap(a, b);
    }
    keys_ = {std::move(a), std::move(b)};
    Restart(kA);
    Restart(kB);
  }

  TunnelPair() : TunnelPair(Options{}) {}

  TunnelPair(const TunnelPair&) = delete;
  TunnelPair& operator=(const TunnelPair&) = delete;

  /// As after a crash: the keys of the node are there, nothing else is.
  void Restart(Side side) {
    nodes_[side] = std::make_unique<tunnel::Tunnel>(
        now_, keys_[side].Clone(), UnixTime(), random_, tunnel::ReferenceCipher(),
        side == kB ? options_.limits_b : tunnel::HandshakeLimits{});
    nodes_[side]->forwarding().Enable();
    tunnel::PeerConfig config{.public_key = DerivePublicKey(keys_[Other(side)])};
    config.allowed_ips = {IpPrefix{AddressOf(Other(side)), 32}};
    const auto preshared = side == kA ? options_.preshared_a : options_.preshared_b;
    if (preshared) {
      config.preshared_key.emplace();
      std::ranges::fill(config.preshared_key->mutable_bytes(), *preshared);
    }
    if (side == kA) {
      config.persistent_keepalive = options_.keepalive_a;
    }
    ASSERT_TRUE(nodes_[side]->AddPeer(now_, kPeer, std::move(config)));
  }

  static Side Other(Side side) { return side == kA ? kB : kA; }

  static IpAddress AddressOf(Side side) {
    return IpAddress::V4(10, 0, 0, static_cast<std::uint8_t>(side + 1));
  }

  /// Outside of the tunnel, how datagrams come to this side.
  static tunnel::Way WayTo(Side side) {
    const auto outer = [](Side of) {
      return SocketAddress{IpAddress::V4(192, 0, 2, static_cast<std::uint8_t>(of + 1)), 41820};
    };
    return {.local = outer(side), .remote = outer(Other(side))};
  }

  tunnel::Tunnel& a() { return *nodes_[kA]; }

  tunnel::Tunnel& b() { return *nodes_[kB]; }

  tunnel::Tunnel& node(Side side) { return *nodes_[side]; }

  [[nodiscard]] TimePoint now() const { return now_; }

  [[nodiscard]] const PrivateKey& key(Side side) const { return keys_[side]; }

  [[nodiscard]] std::chrono::nanoseconds UnixTime() const {
    return std::chrono::seconds(1'700'000'000) + now_.time_since_epoch();
  }

  /// One packet from the TUN device of `from` to the address of the other side.
  void Send(Side from, std::string_view payload = "hello") {
    node(from).HandlePacket(now_, MakeIpv4(AddressOf(from), AddressOf(Other(from)), payload));
    Drain();
  }

  void Start(Side side) {
    node(side).StartHandshake(now_, kPeer);
    Drain();
  }

  void Keepalive(Side side) {
    node(side).SendKeepalive(now_, kPeer);
    Drain();
  }

  /// Gives a datagram to `to` without any delay.
  std::optional<tunnel::Accepted> Inject(Side to, Bytes datagram) {
    const auto accepted = node(to).HandleDatagram(now_, WayTo(to), datagram);
    Drain();
    return accepted;
  }

  /// Takes all outputs of both sides: after inputs that went past this class.
  void Drain() {
    for (const Side side : {kA, kB}) {
      while (auto datagram = node(side).PollDatagram()) {
        EXPECT_EQ(datagram->peer, kPeer);
        sent_.push_back({.at = now_, .from = side, .bytes = std::move(datagram->bytes)});
        if (!loses(sent_.back())) {
          flights_.emplace(now_ + latency(sent_.back()), Flight{Other(side), sent_.back().bytes});
        }
      }
      while (auto reply = node(side).PollReply()) {
        EXPECT_EQ(reply->way.remote, WayTo(side).remote);
        sent_.push_back({.at = now_, .from = side, .bytes = std::move(reply->bytes)});
        if (!loses(sent_.back())) {
          flights_.emplace(now_ + latency(sent_.back()), Flight{Other(side), sent_.back().bytes});
        }
      }
      while (const auto packet = node(side).PollPacket()) {
        received_[side].emplace_back(AsText(Bytes(packet->bytes).subspan(20)));
      }
      while (const auto event = node(side).PollEvent()) {
        events_[side].push_back(*event);
      }
    }
  }

  /// Both sides handle what is due and what arrives, for this long.
  void RunFor(Duration duration) {
    const TimePoint end = now_ + duration;
    while (const auto next = NextEvent()) {
      if (*next > end) {
        break;
      }
      now_ = std::max(now_, *next);
      while (!flights_.empty() && flights_.begin()->first <= now_) {
        const auto [to, bytes] = std::move(flights_.begin()->second);
        flights_.erase(flights_.begin());
        static_cast<void>(node(to).HandleDatagram(now_, WayTo(to), bytes));
        Drain();
      }
      a().HandleTimeout(now_);
      b().HandleTimeout(now_);
      Drain();
    }
    now_ = end;
  }

  /// A handshake of A's, complete on both sides.
  void Connect() {
    Start(kA);
    RunFor(4 * options_.latency);
    ASSERT_TRUE(a().Stats(kPeer).has_session);
    ASSERT_TRUE(b().Stats(kPeer).has_session);
  }

  /// What has come out of a side's TUN device, the payloads alone.
  [[nodiscard]] const std::vector<std::string>& received(Side side) const {
    return received_[side];
  }

  [[nodiscard]] const std::vector<tunnel::Event>& events(Side side) const { return events_[side]; }

  template <typename T>
  [[nodiscard]] std::size_t CountEvents(Side side) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        events_[side], [](const auto& event) { return std::holds_alternative<T>(event); }));
  }

  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }

  /// Messages of a type that have left a side.
  [[nodiscard]] std::size_t CountSent(Side from, std::uint8_t type) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        sent_, [&](const Sent& sent) { return sent.from == from && sent.type() == type; }));
  }

  [[nodiscard]] std::size_t CountKeepalives(Side from) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        sent_, [&](const Sent& sent) { return sent.from == from && sent.is_keepalive(); }));
  }

  /// The last message of a type that has left a side. There is one: the test has made it.
  [[nodiscard]] std::vector<std::uint8_t> LastSent(Side from, std::uint8_t type) const {
    for (auto sent = sent_.rbegin(); sent != sent_.rend(); ++sent) {
      if (sent->from == from && sent->type() == type) {
        return sent->bytes;
      }
    }
    ADD_FAILURE() << "no message of type " << int{type};
    return {};
  }

  /// Messages for which this says true get lost.
  std::function<bool(const Sent&)> loses = [](const Sent&) { return false; };
  /// How long a message is on its way.
  std::function<Duration(const Sent&)> latency = [this](const Sent&) { return options_.latency; };

 private:
  struct Flight {
    Side to;
    std::vector<std::uint8_t> bytes;
  };

  [[nodiscard]] std::optional<TimePoint> NextEvent() const {
    std::optional<TimePoint> next;
    const auto consider = [&](std::optional<TimePoint> time) {
      if (time && (!next || *time < *next)) {
        next = time;
      }
    };
    consider(nodes_[kA]->NextTimeout());
    consider(nodes_[kB]->NextTimeout());
    if (!flights_.empty()) {
      consider(flights_.begin()->first);
    }
    return next;
  }

  Options options_;
  TimePoint now_{std::chrono::hours(1)};
  FakeRandom random_;
  std::array<PrivateKey, 2> keys_;
  std::array<std::unique_ptr<tunnel::Tunnel>, 2> nodes_;
  std::multimap<TimePoint, Flight> flights_;
  std::vector<Sent> sent_;
  std::array<std::vector<std::string>, 2> received_;
  std::array<std::vector<tunnel::Event>, 2> events_;
};

}  // namespace floe::test
