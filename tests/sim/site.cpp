#include "tests/sim/site.h"

#include <algorithm>

#include "base/check.h"
#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

constexpr Duration kUnanswered = std::chrono::seconds(30);

NatOptions NatOf(SiteKind kind, Hairpin hairpin) {
  switch (kind) {
    case SiteKind::kEimEif:
      return NatOptions::Cone(Filtering::kEndpointIndependent);
    case SiteKind::kEimAdf:
      return NatOptions::Cone(Filtering::kAddressDependent);
    case SiteKind::kSymmetric:
      return NatOptions::Symmetric();
    case SiteKind::kNone:
    case SiteKind::kEimApdf:
    case SiteKind::kCgnat:
    case SiteKind::kCgnatEim:
    case SiteKind::kUdpBlocked:
    case SiteKind::kDualStack:
    case SiteKind::kIpv6Only:
    case SiteKind::kFwOnlyIpv6:
      break;
  }
  return hairpin == Hairpin::kYes ? NatOptions::Cone(Filtering::kAddressAndPortDependent)
                                  : NatOptions::Masquerade();
}

/// `first` addresses into a network; the prefix may be an IPv6 /64, of which 200 are enough.
AddressPool PoolOf(const IpPrefix& prefix, std::uint16_t first) {
  const std::uint32_t size = prefix.address.is_v4() ? 1U << (32U - prefix.length) : 216U;
  return {prefix.address, first, static_cast<std::uint16_t>(size - first - 1)};
}

}  // namespace

std::string_view ToString(SiteKind kind) {
  switch (kind) {
    case SiteKind::kNone:
      return "none";
    case SiteKind::kEimEif:
      return "eim_eif";
    case SiteKind::kEimAdf:
      return "eim_adf";
    case SiteKind::kEimApdf:
      return "eim_apdf";
    case SiteKind::kSymmetric:
      return "symmetric";
    case SiteKind::kCgnat:
      return "cgnat";
    case SiteKind::kCgnatEim:
      return "cgnat_eim";
    case SiteKind::kUdpBlocked:
      return "udp_blocked";
    case SiteKind::kDualStack:
      return "dual_stack";
    case SiteKind::kIpv6Only:
      return "ipv6_only";
    case SiteKind::kFwOnlyIpv6:
      return "fw_only_ipv6";
  }
  FLOE_CHECK(false);
}

GatewayOptions GatewayOptionsOf(SiteKind kind, const SiteOptions& options) {
  GatewayOptions made;
  made.nat = NatOf(kind, options.hairpin);
  made.nat.hairpin = options.hairpin;
  made.nat.timeout = options.udp_timeout;
  made.nat = options.nat.value_or(made.nat);
  made.firewall = {.timeout = options.udp_timeout, .unanswered_timeout = kUnanswered};
  if (kind == SiteKind::kIpv6Only || kind == SiteKind::kFwOnlyIpv6) {
    made.v4 = Ipv4Mode::kNone;
  } else if (kind == SiteKind::kNone) {
    made.v4 = Ipv4Mode::kOpen;
  }
  if (kind == SiteKind::kIpv6Only) {
    made.v6 = Ipv6Mode::kOpen;
  } else if (kind == SiteKind::kFwOnlyIpv6 || kind == SiteKind::kDualStack) {
    made.v6 = Ipv6Mode::kFirewall;
  }
  if (kind == SiteKind::kUdpBlocked) {
    made.egress = Egress::kNoUdp;
  }
  made.v4 = options.v4.value_or(made.v4);
  made.v6 = options.v6.value_or(made.v6);
  return made;
}

std::optional<NatOptions> CarrierNatOf(SiteKind kind, const SiteOptions& options) {
  NatOptions nat;
  if (kind == SiteKind::kCgnat) {
    nat = NatOptions::Symmetric();
  } else if (kind == SiteKind::kCgnatEim) {
    nat = NatOptions::Cone(Filtering::kEndpointIndependent);
  } else {
    return std::nullopt;
  }
  nat.timeout = options.udp_timeout;
  return nat;
}

Site::Site(Simulation& simulation, std::string name, SiteKind kind, Gateway& gateway,
           Carrier* carrier, const Lan& lan)
    : simulation_(simulation),
      name_(std::move(name)),
      kind_(kind),
      gateway_(gateway),
      carrier_(carrier) {
  if (lan.v4) {
    pool4_ = PoolOf(*lan.v4, 2);
  }
  if (lan.v6) {
    pool6_ = PoolOf(*lan.v6, 0x10);
  }
}

Host& Site::AddHost(std::string name) {
  ++hosts_;
  if (name.empty()) {
    name = name_ + "." + std::to_string(hosts_);
  }
  Host& host = simulation_.AddHost(std::move(name));
  host.Join(*this);
  return host;
}

std::vector<IpAddress> Site::Lease() {
  std::vector<IpAddress> addresses;
  if (pool4_) {
    addresses.push_back(pool4_->Take());
  }
  if (pool6_) {
    addresses.push_back(pool6_->Take());
  }
  return addresses;
}

void Site::GiveBack(const IpAddress& ip) {
  auto& pool = ip.is_v4() ? pool4_ : pool6_;
  FLOE_CHECK(pool.has_value());
  pool->GiveBack(ip);
}

std::optional<IpAddress> Site::public_ip() const {
  if (carrier_ != nullptr && gateway_.outside()) {
    return carrier_->gateway().outside();
  }
  return gateway_.outside();
}

}  // namespace floe::sim
