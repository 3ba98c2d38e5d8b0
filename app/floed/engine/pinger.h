// Echo requests through the tunnel, sent by the daemon itself, and their answers.
//
// The peer's kernel answers, so what is measured is what a user's packet would meet.
// Source: RFC 792 (ICMP echo), RFC 4443 section 4 (ICMPv6 echo).

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::engine {

struct Pong {
  std::uint32_t peer = 0;
  std::uint16_t seq = 0;
  Duration rtt{0};
};

class Pinger {
 public:
  explicit Pinger(RandomSource& random);

  struct Request {
    std::uint16_t seq = 0;
    std::vector<std::uint8_t> packet;  // A whole IP packet, for the tunnel.
  };

  /// `from` and `to` are of one family.
  [[nodiscard]] Request MakeRequest(TimePoint now, std::uint32_t peer, const IpAddress& from,
                                    const IpAddress& to);

  /// Takes a packet out of the tunnel if it answers one of our requests to this peer, and says
  /// whether it did.
  bool HandlePacket(TimePoint now, std::uint32_t peer, Bytes packet);

  /// Whether an answer of this peer's may still come.
  [[nodiscard]] bool IsWaiting(TimePoint now, std::uint32_t peer) const;

  [[nodiscard]] std::optional<Pong> PollPong();

 private:
  struct Sent {
    std::uint32_t peer;
    TimePoint time;
  };

  std::uint16_t id_ = 0;
  std::uint16_t next_seq_ = 1;
  std::map<std::uint16_t, Sent> sent_;  // A bounded number: the oldest go.
  std::deque<Pong> pongs_;
};

}  // namespace floe::engine
