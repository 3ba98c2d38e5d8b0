// The simulated internet: zones, gateways between them, and the datagrams on their way.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/event_queue.h"
#include "tests/sim/gateway.h"
#include "tests/sim/interface.h"
#include "tests/sim/packet_observer.h"
#include "tests/sim/zone.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

class Network final : public EventSink {
 public:
  struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    std::array<std::uint64_t, kDropKinds> dropped{};  // by Drop

    [[nodiscard]] std::uint64_t Dropped(Drop why) const {
      return dropped.at(static_cast<std::size_t>(why));
    }
  };

  /// Both must outlive this.
  Network(EventQueue& events, test::FakeRandom& random);

  [[nodiscard]] Zone& internet() { return *zones_.front(); }

  Zone& AddZone(std::string name);
  Gateway& AddGateway(const GatewayOptions& options, Zone& inner, Zone& outer, AddressPool& pool);

  /// Sends a datagram out of an interface, as `flow` says. Never delivers before it returns.
  void Send(Interface& from, const Flow& flow, std::vector<std::uint8_t> payload);

  /// Drops what the rule matches in the middle of the internet, for all.
  void Block(BlockRule rule) { blocks_.push_back(std::move(rule)); }

  void Unblock() { blocks_.clear(); }

  [[nodiscard]] bool Blocks(const Flow& flow) const;

  /// `observer` must outlive this.
  void Observe(PacketObserver& observer) { observers_.push_back(&observer); }

  /// Counts a datagram that its host cannot send.
  void Refuse(Drop why, const Flow& flow, Bytes payload);

  /// Tells the observers, of what is not sent through Send() too: streams.
  void Report(PacketEvent event, Drop why, const Flow& flow, Bytes payload);

  [[nodiscard]] const Counters& counters() const { return counters_; }

  void HandleEvent(TimePoint now, std::uint64_t tag) override;

 private:
  /// Where a packet is: exactly one is set.
  struct Position {
    Zone* zone = nullptr;            // in a zone, looking for its destination
    Gateway* leaving = nullptr;      // at a gateway, from inside
    Gateway* entering = nullptr;     // at a gateway, from outside
    Interface* interface = nullptr;  // at the host
  };

  struct Packet {
    Flow flow;
    std::vector<std::uint8_t> payload;
    Position at;
    std::uint8_t hops = 0;
  };

  /// What is to be done with a packet next.
  enum class Step : std::uint8_t { kGoesOn, kWaits, kEnds };

  /// Whether this call may end in a node: not while a node is being drained.
  enum class Mode : std::uint8_t { kSending, kInEvent };

  void Advance(std::size_t slot, Mode mode);
  [[nodiscard]] Step CrossZone(std::size_t slot);
  [[nodiscard]] Step Leave(std::size_t slot);
  [[nodiscard]] Step Enter(std::size_t slot);
  [[nodiscard]] Step Cross(std::size_t slot, Link& link, Wire& wire, const Position& next);
  void Deliver(std::size_t slot);
  [[nodiscard]] Step EndsBy(std::size_t slot, Drop why);
  [[nodiscard]] std::size_t NewSlot();
  void FreeSlot(std::size_t slot);

  EventQueue& events_;
  test::FakeRandom& random_;
  std::vector<std::unique_ptr<Zone>> zones_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::deque<Packet> packets_;  // Slots, so that an event names a packet by its number.
  std::vector<std::size_t> free_slots_;
  std::vector<BlockRule> blocks_;
  std::vector<PacketObserver*> observers_;
  Counters counters_;
};

}  // namespace floe::sim
