#include "tests/sim/network.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "tests/sim/host.h"

namespace floe::sim {
namespace {

constexpr std::uint8_t kMaxHops = 32;

/// The size of a datagram with its UDP and IP headers, for a wire's mtu.
std::size_t SizeOnWire(const IpAddress& to, std::size_t payload) {
  return payload + 8 + (to.is_v4() ? 20 : 40);
}

Drop WhyOf(Wire::Fate fate) {
  switch (fate) {
    case Wire::Fate::kPasses:
      return Drop::kNone;
    case Wire::Fate::kDown:
      return Drop::kLinkDown;
    case Wire::Fate::kLost:
      return Drop::kLost;
    case Wire::Fate::kTooBig:
      return Drop::kTooBig;
  }
  FLOE_CHECK(false);
}

}  // namespace

Network::Network(EventQueue& events, test::FakeRandom& random) : events_(events), random_(random) {
  AddZone("internet");
}

Zone& Network::AddZone(std::string name) {
  return *zones_.emplace_back(std::make_unique<Zone>(std::move(name)));
}

Gateway& Network::AddGateway(const GatewayOptions& options, Zone& inner, Zone& outer,
                             AddressPool& pool) {
  return *gateways_.emplace_back(std::make_unique<Gateway>(options, inner, outer, pool, random_));
}

bool Network::Blocks(const Flow& flow) const {
  return std::ranges::any_of(blocks_, [&](const BlockRule& rule) { return rule(flow); });
}

void Network::Report(PacketEvent event, Drop why, const Flow& flow, Bytes payload) {
  for (PacketObserver* observer : observers_) {
    observer->HandlePacket(
        {.at = events_.now(), .event = event, .why = why, .flow = flow, .payload = payload});
  }
}

void Network::Refuse(Drop why, const Flow& flow, Bytes payload) {
  ++counters_.sent;
  ++counters_.dropped.at(static_cast<std::size_t>(why));
  Report(PacketEvent::kDropped, why, flow, payload);
}

std::size_t Network::NewSlot() {
  if (free_slots_.empty()) {
    packets_.emplace_back();
    return packets_.size() - 1;
  }
  const std::size_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void Network::FreeSlot(std::size_t slot) {
  packets_[slot].payload.clear();
  free_slots_.push_back(slot);
}

void Network::Send(Interface& from, const Flow& flow, std::vector<std::uint8_t> payload) {
  ++counters_.sent;
  const std::size_t slot = NewSlot();
  packets_[slot] = {.flow = flow, .payload = std::move(payload)};
  Report(PacketEvent::kSent, Drop::kNone, flow, packets_[slot].payload);
  FLOE_CHECK(from.zone != nullptr);
  if (Cross(slot, from.link, from.link.up, {.zone = from.zone}) == Step::kGoesOn) {
    Advance(slot, Mode::kSending);
  }
}

void Network::HandleEvent(TimePoint /*now*/, std::uint64_t tag) {
  Advance(static_cast<std::size_t>(tag), Mode::kInEvent);
}

void Network::Advance(std::size_t slot, Mode mode) {
  Step step = Step::kGoesOn;
  while (step == Step::kGoesOn) {
    Packet& packet = packets_[slot];
    if (packet.at.interface != nullptr) {
      if (mode == Mode::kInEvent) {
        Deliver(slot);
      } else {
        events_.Push(events_.now(), *this, slot);
      }
      return;
    }
    if (++packet.hops > kMaxHops) {
      step = EndsBy(slot, Drop::kLoop);
    } else if (packet.at.zone != nullptr) {
      step = CrossZone(slot);
    } else if (packet.at.leaving != nullptr) {
      step = Leave(slot);
    } else {
      step = Enter(slot);
    }
  }
}

Network::Step Network::CrossZone(std::size_t slot) {
  Packet& packet = packets_[slot];
  Zone& zone = *packet.at.zone;
  if (&zone == &internet()) {
    Report(PacketEvent::kPublic, Drop::kNone, packet.flow, packet.payload);
    if (Blocks(packet.flow)) {
      return EndsBy(slot, Drop::kBlocked);
    }
  }
  const Zone::Target target = zone.Find(packet.flow.to.ip);
  if (target.interface != nullptr) {
    Link& link = target.interface->link;
    return Cross(slot, link, link.down, {.interface = target.interface});
  }
  if (target.gateway != nullptr) {
    Link& link = target.gateway->link;
    return Cross(slot, link, link.down, {.entering = target.gateway});
  }
  if (zone.uplink() == nullptr) {
    return EndsBy(slot, Drop::kNoRoute);
  }
  packet.at = {.leaving = zone.uplink()};
  return Step::kGoesOn;
}

Network::Step Network::Leave(std::size_t slot) {
  Packet& packet = packets_[slot];
  Gateway& gateway = *packet.at.leaving;
  if (gateway.IsHairpin(packet.flow)) {
    const Drop drop = gateway.Turn(events_.now(), packet.flow);
    packet.at = {.zone = &gateway.inner()};
    return drop == Drop::kNone ? Step::kGoesOn : EndsBy(slot, drop);
  }
  const Drop drop = gateway.Out(events_.now(), packet.flow);
  if (drop != Drop::kNone) {
    return EndsBy(slot, drop);
  }
  return Cross(slot, gateway.link, gateway.link.up, {.zone = &gateway.outer()});
}

Network::Step Network::Enter(std::size_t slot) {
  Packet& packet = packets_[slot];
  Gateway& gateway = *packet.at.entering;
  const Drop drop = gateway.In(events_.now(), packet.flow);
  if (drop != Drop::kNone) {
    return EndsBy(slot, drop);
  }
  const Zone::Target target = gateway.inner().Find(packet.flow.to.ip);
  if (target.interface == nullptr && target.gateway == nullptr) {
    return EndsBy(slot, Drop::kNoReceiver);  // Not back out again, where it came from.
  }
  packet.at = {.zone = &gateway.inner()};
  return Step::kGoesOn;
}

Network::Step Network::Cross(std::size_t slot, Link& link, Wire& wire, const Position& next) {
  Packet& packet = packets_[slot];
  if (link.Blocks(packet.flow)) {
    return EndsBy(slot, Drop::kBlocked);
  }
  const std::size_t size = SizeOnWire(packet.flow.to.ip, packet.payload.size());
  const Wire::Passage passage = wire.Carry(events_.now(), size, random_);
  if (passage.fate != Wire::Fate::kPasses) {
    return EndsBy(slot, WhyOf(passage.fate));
  }
  packet.at = next;
  if (passage.duplicate) {
    const std::size_t copy = NewSlot();  // Does not move `packet`: the slots are a deque.
    packets_[copy] = packet;
    events_.Push(*passage.duplicate, *this, copy);
  }
  if (passage.arrival <= events_.now()) {
    return Step::kGoesOn;
  }
  events_.Push(passage.arrival, *this, slot);
  return Step::kWaits;
}

void Network::Deliver(std::size_t slot) {
  // Out of the slot first: the node's answers may use it.
  const Packet packet = std::move(packets_[slot]);
  FreeSlot(slot);
  const Interface& interface = *packet.at.interface;
  if (!interface.Has(packet.flow.to.ip) || !interface.host->awake()) {
    ++counters_.dropped.at(static_cast<std::size_t>(Drop::kNoReceiver));
    Report(PacketEvent::kDropped, Drop::kNoReceiver, packet.flow, packet.payload);
    return;
  }
  ++counters_.delivered;
  Report(PacketEvent::kDelivered, Drop::kNone, packet.flow, packet.payload);
  interface.host->Receive(packet.flow, packet.payload);
}

Network::Step Network::EndsBy(std::size_t slot, Drop why) {
  ++counters_.dropped.at(static_cast<std::size_t>(why));
  Report(PacketEvent::kDropped, why, packets_[slot].flow, packets_[slot].payload);
  FreeSlot(slot);
  return Step::kEnds;
}

}  // namespace floe::sim
