// What a test can see of the packets that cross the simulated internet.

#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "tests/sim/flow.h"

namespace floe::sim {

enum class PacketEvent : std::uint8_t {
  kSent,       // A host sent it, with the addresses it has there.
  kPublic,     // It reached the internet between the sites: what an eavesdropper there sees.
  kDelivered,  // It reached a node.
  kDropped,    // It ended on the way, or when it arrived.
};

/// Why a packet was dropped; kNone when it was not.
enum class Drop : std::uint8_t {
  kNone,
  kNoSource,    // The sender has no such address.
  kNoRoute,     // Nobody has the destination, or the way has not its address family.
  kLinkDown,    // A line is down.
  kLost,        // A line lost it by chance.
  kTooBig,      // Larger than a line's mtu.
  kBlocked,     // A block rule of the test.
  kEgress,      // The site lets no UDP out.
  kUnasked,     // A NAT or firewall: nobody inside has sent to the sender.
  kNoPort,      // The NAT is out of ports.
  kNoHairpin,   // From inside to the NAT's own outside address.
  kLoop,        // Too many hops.
  kNoReceiver,  // The host has gone from that address, sleeps or runs no node.
};

inline constexpr std::size_t kDropKinds = 13;

[[nodiscard]] std::string_view ToString(PacketEvent event);
[[nodiscard]] std::string_view ToString(Drop drop);

/// One thing that happened to a datagram, or to bytes of a stream (kSent and kPublic alone).
/// `payload` is valid during the call.
struct PacketRecord {
  TimePoint at;
  PacketEvent event = PacketEvent::kSent;
  Drop why = Drop::kNone;
  Flow flow;
  Bytes payload;
};

class PacketObserver {
 public:
  PacketObserver() = default;
  virtual ~PacketObserver() = default;
  PacketObserver(const PacketObserver&) = delete;
  PacketObserver& operator=(const PacketObserver&) = delete;

  virtual void HandlePacket(const PacketRecord& record) = 0;
};

}  // namespace floe::sim
