#include "tests/sim/host.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "tests/sim/site.h"

namespace floe::sim {

Host::Host(EventQueue& events, Network& network, Streams& streams, std::string name)
    : events_(events), network_(network), streams_(streams), name_(std::move(name)) {}

void Host::Attach(Node& node) {
  FLOE_CHECK(node_ == nullptr);
  node_ = &node;
  armed_.reset();
  ++wakeup_;
  TellAddresses();
}

void Host::Detach() {
  streams_.CloseAll(*this);
  node_ = nullptr;
}

void Host::Poke() {
  if (awake()) {
    CountCall();
    Drain();
  }
}

void Host::Resume() {
  suspended_ = false;
  TellAddresses();
}

void Host::Settle(Interface& interface, Zone& zone, Site* site, std::vector<IpAddress> addresses) {
  interface.host = this;
  interface.zone = &zone;
  interface.site = site;
  interface.addresses = std::move(addresses);
  for (const IpAddress& ip : interface.addresses) {
    zone.Attach(ip, {.interface = &interface});
  }
}

void Host::Release(Interface& interface) {
  for (const IpAddress& ip : interface.addresses) {
    interface.zone->Detach(ip);
    if (interface.site != nullptr) {
      interface.site->GiveBack(ip);
    }
  }
  interface.addresses.clear();
  interface.zone = nullptr;
  interface.site = nullptr;
}

Interface& Host::Join(Site& site) {
  Interface& added = *interfaces_.emplace_back(std::make_unique<Interface>());
  Settle(added, site.lan(), &site, site.Lease());
  TellAddresses();
  return added;
}

Interface& Host::Join(Zone& zone, std::vector<IpAddress> addresses) {
  Interface& added = *interfaces_.emplace_back(std::make_unique<Interface>());
  Settle(added, zone, nullptr, std::move(addresses));
  TellAddresses();
  return added;
}

void Host::Leave(Interface& interface) {
  Release(interface);
  TellAddresses();
}

void Host::Roam(Site& site) {
  Release(interface());
  Join(site);
}

void Host::Readdress() {
  Interface& first = interface();
  Site* site = first.site;
  FLOE_CHECK(site != nullptr);
  std::vector<IpAddress> fresh = site->Lease();  // Before the old ones can be given out again.
  Release(first);
  Settle(first, site->lan(), site, std::move(fresh));
  TellAddresses();
}

std::vector<IpAddress> Host::addresses() const {
  std::vector<IpAddress> all;
  for (const auto& interface : interfaces_) {
    all.insert(all.end(), interface->addresses.begin(), interface->addresses.end());
  }
  return all;
}

IpAddress Host::First(IpFamily family) const {
  const std::vector<IpAddress> all = addresses();
  const auto found = std::ranges::find(all, family, &IpAddress::family);
  FLOE_CHECK(found != all.end());
  return *found;
}

Interface& Host::interface() {
  const auto found = std::ranges::find_if(
      interfaces_, [](const auto& interface) { return interface->zone != nullptr; });
  FLOE_CHECK(found != interfaces_.end());
  return **found;
}

Interface* Host::FindInterface(IpAddress& ip) {
  for (const auto& interface : interfaces_) {
    for (const IpAddress& own : interface->addresses) {
      if (own == ip || (ip.is_unspecified() && own.family == ip.family)) {
        ip = own;
        return interface.get();
      }
    }
  }
  return nullptr;
}

void Host::Receive(const Flow& flow, Bytes payload) {
  CountCall();
  node_->HandleDatagram(events_.now(), flow.to, flow.from, payload);
  Drain();
}

void Host::StreamOpened(StreamId id, const SocketAddress& remote) {
  CountCall();
  node_->HandleStreamOpened(events_.now(), id, remote);
  Drain();
}

void Host::StreamBytes(StreamId id, Bytes bytes) {
  CountCall();
  node_->HandleStreamBytes(events_.now(), id, bytes);
  Drain();
}

void Host::StreamClosed(StreamId id) {
  CountCall();
  node_->HandleStreamClosed(events_.now(), id);
  Drain();
}

void Host::TellAddresses() {
  if (awake()) {
    CountCall();
    node_->HandleAddresses(events_.now(), addresses());
    Drain();
  }
}

void Host::Drain() {
  bool busy = true;
  while (busy) {
    busy = false;
    while (auto transmit = node_->PollTransmit()) {
      CountCall();
      Send(*std::move(transmit));
      busy = true;
    }
    while (auto action = node_->PollStream()) {
      CountCall();
      streams_.Apply(*this, *std::move(action));
      busy = true;
    }
  }
  Arm();
}

void Host::Send(Node::Transmit transmit) {
  if (transmit.local.ip.is_unspecified()) {
    transmit.local.ip = IpAddress{.family = transmit.remote.ip.family};
  }
  Interface* interface = FindInterface(transmit.local.ip);
  const Flow flow{.from = transmit.local, .to = transmit.remote};
  if (interface == nullptr) {
    network_.Refuse(Drop::kNoSource, flow, transmit.payload);
    return;
  }
  if (flow.from.ip.family != flow.to.ip.family) {
    network_.Refuse(Drop::kNoRoute, flow, transmit.payload);
    return;
  }
  network_.Send(*interface, flow, std::move(transmit.payload));
}

void Host::Arm() {
  const auto next = node_->NextTimeout();
  if (!next) {
    return;  // An event that is still pending finds nothing to do.
  }
  const TimePoint at = std::max(*next, events_.now());
  if (armed_ && *armed_ <= at) {
    return;  // That event arms again.
  }
  armed_ = at;
  events_.Push(at, *this, ++wakeup_);
}

void Host::HandleEvent(TimePoint now, std::uint64_t tag) {
  if (tag != wakeup_) {
    return;  // Replaced by an earlier one, or meant for another node.
  }
  armed_.reset();
  if (!awake()) {
    return;
  }
  const auto next = node_->NextTimeout();
  if (next && *next <= now) {
    CountCall();
    node_->HandleTimeout(now);
    Drain();
  } else {
    Arm();
  }
}

void Host::CountCall() {
  if (instant_ != events_.now()) {
    instant_ = events_.now();
    calls_ = 0;
  }
  if (++calls_ > kMaxCalls) {
    std::fprintf(stderr, "%s spins: more than %u calls in one instant\n", name_.c_str(), kMaxCalls);
    std::abort();
  }
}

}  // namespace floe::sim
