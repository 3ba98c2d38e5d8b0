#include "tests/sim/gateway.h"

namespace floe::sim {

Gateway::Gateway(const GatewayOptions& options, Zone& inner, Zone& outer, AddressPool& pool,
                 test::FakeRandom& random)
    : options_(options),
      inner_(inner),
      outer_(outer),
      pool_(pool),
      nat_(options.nat, random),
      firewall_(options.firewall) {
  inner.set_uplink(*this);
  if (options_.v4 == Ipv4Mode::kNat) {
    TakeOutsideAddress();
  }
}

void Gateway::TakeOutsideAddress() {
  outside_ = pool_.Take();
  outer_.Attach(*outside_, {.gateway = this});
}

void Gateway::Announce(const IpPrefix& prefix) {
  outer_.AddRoute(prefix, *this);
  if (outer_.uplink() != nullptr) {
    outer_.uplink()->Announce(prefix);
  }
}

Drop Gateway::Out(TimePoint now, Flow& flow) {
  if (options_.egress == Egress::kNoUdp) {
    return Drop::kEgress;
  }
  if (flow.from.ip.is_v6()) {
    if (options_.v6 == Ipv6Mode::kNone) {
      return Drop::kNoRoute;
    }
    if (options_.v6 == Ipv6Mode::kFirewall) {
      firewall_.NoteOut(now, flow.from, flow.to);
    }
    return Drop::kNone;
  }
  switch (options_.v4) {
    case Ipv4Mode::kNone:
      return Drop::kNoRoute;
    case Ipv4Mode::kOpen:
      return Drop::kNone;
    case Ipv4Mode::kFirewall:
      firewall_.NoteOut(now, flow.from, flow.to);
      return Drop::kNone;
    case Ipv4Mode::kNat:
      break;
  }
  const auto port = nat_.TranslateOut(now, flow.from, flow.to);
  if (!port) {
    return Drop::kNoPort;
  }
  flow.from = {*outside_, *port};
  return Drop::kNone;
}

Drop Gateway::In(TimePoint now, Flow& flow) {
  const bool is_v6 = flow.to.ip.is_v6();
  const bool is_open = is_v6 ? options_.v6 == Ipv6Mode::kOpen : options_.v4 == Ipv4Mode::kOpen;
  const bool is_none = is_v6 ? options_.v6 == Ipv6Mode::kNone : options_.v4 == Ipv4Mode::kNone;
  if (is_none) {
    return Drop::kNoRoute;
  }
  if (is_open) {
    return Drop::kNone;
  }
  if (is_v6 || options_.v4 == Ipv4Mode::kFirewall) {
    return firewall_.AllowsIn(now, flow.to, flow.from) ? Drop::kNone : Drop::kUnasked;
  }
  const auto inside = nat_.TranslateIn(now, flow.to.port, flow.from);
  if (!inside) {
    return Drop::kUnasked;
  }
  flow.to = *inside;
  return Drop::kNone;
}

Drop Gateway::Turn(TimePoint now, Flow& flow) {
  if (options_.egress == Egress::kNoUdp) {
    return Drop::kEgress;
  }
  if (nat_.options().hairpin == Hairpin::kNo) {
    return Drop::kNoHairpin;
  }
  // The receiver sees the outside address of the sender: RFC 4787 REQ-9a.
  const auto port = nat_.TranslateOut(now, flow.from, flow.to);
  if (!port) {
    return Drop::kNoPort;
  }
  const auto inside = nat_.TranslateHairpin(now, flow.to.port);
  if (!inside) {
    return Drop::kUnasked;
  }
  flow.from = {*outside_, *port};
  flow.to = *inside;
  return Drop::kNone;
}

bool Gateway::PassesStream(Direction direction, Flow& flow) const {
  const bool is_v6 = flow.to.ip.is_v6();
  if (direction == Direction::kDown) {
    return is_v6 ? options_.v6 == Ipv6Mode::kOpen : options_.v4 == Ipv4Mode::kOpen;
  }
  if (is_v6 ? options_.v6 == Ipv6Mode::kNone : options_.v4 == Ipv4Mode::kNone) {
    return false;
  }
  if (!is_v6 && options_.v4 == Ipv4Mode::kNat) {
    flow.from.ip = *outside_;
  }
  return true;
}

void Gateway::ForgetMappings() {
  nat_.Reset();
  firewall_.Reset();
}

void Gateway::Reboot() {
  ++epoch_;
  ForgetMappings();
  if (outside_) {
    outer_.Detach(*outside_);
    const IpAddress old = *outside_;
    TakeOutsideAddress();
    pool_.GiveBack(old);
  }
}

}  // namespace floe::sim
