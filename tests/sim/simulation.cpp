#include "tests/sim/simulation.h"

#include <array>
#include <utility>

#include "base/bytes.h"

namespace floe::sim {
namespace {

// The address plan, as in the namespace laboratory: tests/netns/README.md.
const IpAddress kServers4 = IpAddress::V4(198, 51, 100, 0);
const IpAddress kPublic4 = IpAddress::V4(203, 0, 113, 0);
const IpAddress kLans4 = IpAddress::V4(192, 0, 2, 0);
constexpr std::uint8_t kClosedLanLength = 28;
constexpr std::uint16_t kClosedLans = 16;
constexpr std::uint8_t kOpenLanLength = 29;
constexpr std::uint16_t kOpenLans = 16;

/// 2001:db8:`site`::
IpAddress Documentation6(std::uint16_t site) {
  std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
  StoreBe<std::uint16_t>(octets, 4, site);
  return IpAddress::FromBytes(octets);
}

}  // namespace

Simulation::Simulation(std::uint64_t seed)
    : random_(seed),
      servers4_(kServers4, 10, 200),
      servers6_(Documentation6(0), 0x10, 200),
      public4_(kPublic4, 1, 126),
      open_lans_(kPublic4, 0, kOpenLans) {}

bool Simulation::IsDue(TimePoint deadline) const {
  const auto next = events_.NextTime();
  return next && *next <= deadline;
}

void Simulation::RunUntil(TimePoint deadline) {
  while (IsDue(deadline)) {
    events_.RunNext();
  }
  events_.AdvanceTo(deadline);
}

bool Simulation::RunUntil(const std::function<bool()>& done, TimePoint deadline) {
  while (!done()) {
    if (!IsDue(deadline)) {
      events_.AdvanceTo(deadline);
      return false;
    }
    events_.RunNext();
  }
  return true;
}

void Simulation::At(TimePoint time, std::function<void()> act) {
  acts_.push_back(std::move(act));
  events_.Push(time, *this, acts_.size() - 1);
}

void Simulation::HandleEvent(TimePoint /*now*/, std::uint64_t tag) {
  // Out of the list first: it may call At().
  const std::function<void()> act = std::exchange(acts_[static_cast<std::size_t>(tag)], nullptr);
  act();
}

Site::Lan Simulation::PlanLan(const GatewayOptions& options) {
  Site::Lan lan;
  if (options.v4 == Ipv4Mode::kNat) {
    IpAddress network = kLans4;
    network.bytes[3] = static_cast<std::uint8_t>(16 * (closed_lans_++ % kClosedLans));
    lan.v4 = {.address = network, .length = kClosedLanLength};
  } else if (options.v4 != Ipv4Mode::kNone) {
    IpAddress network = open_lans_.Take();
    network.bytes[3] = static_cast<std::uint8_t>(128 + 8 * network.bytes[3]);
    lan.v4 = {.address = network, .length = kOpenLanLength};
  }
  if (options.v6 != Ipv6Mode::kNone) {
    lan.v6 = {.address = Documentation6(++lans6_), .length = 64};
  }
  return lan;
}

Site& Simulation::AddSite(SiteKind kind, SiteOptions options) {
  if (options.name.empty()) {
    options.name = std::string(ToString(kind)) + "-" + std::to_string(sites_.size() + 1);
  }
  Carrier* carrier = options.carrier;
  if (const auto nat = CarrierNatOf(kind, options); nat && carrier == nullptr) {
    carrier = &AddCarrier({.name = options.name + ".carrier", .nat = *nat});
  }
  const GatewayOptions gateway_options = GatewayOptionsOf(kind, options);
  Zone& outer = carrier == nullptr ? network_.internet() : carrier->zone();
  AddressPool& pool = carrier == nullptr ? public4_ : carrier->customers();
  Zone& inner = network_.AddZone(options.name);
  Gateway& gateway = network_.AddGateway(gateway_options, inner, outer, pool);
  gateway.link.SetDelay(options.delay);
  const Site::Lan lan = PlanLan(gateway_options);
  if (lan.v4 && gateway_options.v4 != Ipv4Mode::kNat) {
    gateway.Announce(*lan.v4);
  }
  if (lan.v6) {
    gateway.Announce(*lan.v6);
  }
  return *sites_.emplace_back(
      std::make_unique<Site>(*this, options.name, kind, gateway, carrier, lan));
}

Carrier& Simulation::AddCarrier(CarrierOptions options) {
  Zone& zone = network_.AddZone(options.name);
  Gateway& gateway = network_.AddGateway({.nat = options.nat, .v6 = Ipv6Mode::kOpen}, zone,
                                         network_.internet(), public4_);
  return *carriers_.emplace_back(std::make_unique<Carrier>(gateway, zone));
}

Host& Simulation::AddServer(ServerOptions options) {
  ++servers_;
  if (options.name.empty()) {
    options.name = "server-" + std::to_string(servers_);
  }
  std::vector<IpAddress> addresses;
  for (int i = 0; i < options.addresses; ++i) {
    addresses.push_back(servers4_.Take());
    addresses.push_back(servers6_.Take());
  }
  Host& host = AddHost(std::move(options.name));
  host.Join(network_.internet(), std::move(addresses)).link.SetDelay(options.delay);
  return host;
}

Host& Simulation::AddHost(std::string name) {
  return *hosts_.emplace_back(std::make_unique<Host>(events_, network_, streams_, std::move(name)));
}

}  // namespace floe::sim
