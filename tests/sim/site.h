// A place with a LAN behind a router of a known kind. The kinds are those of the namespace
// laboratory (tests/netns/README.md), under the same names.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "tests/sim/address_pool.h"
#include "tests/sim/carrier.h"
#include "tests/sim/gateway.h"

namespace floe::sim {

class Host;
class Simulation;

enum class SiteKind : std::uint8_t {
  kNone,        // public IPv4, open
  kEimEif,      // full cone
  kEimAdf,      // address-restricted cone
  kEimApdf,     // port-restricted cone: Linux masquerade
  kSymmetric,   // masquerade to random ports
  kCgnat,       // kEimApdf behind a symmetric carrier
  kCgnatEim,    // kEimApdf behind a full cone carrier
  kUdpBlocked,  // kEimApdf, only outgoing TCP
  kDualStack,   // kEimApdf; public IPv6 behind a stateful firewall
  kIpv6Only,    // public IPv6, open
  kFwOnlyIpv6,  // public IPv6 behind a stateful firewall
};

inline constexpr std::array kAllSiteKinds = {
    SiteKind::kNone,      SiteKind::kEimEif,   SiteKind::kEimAdf,     SiteKind::kEimApdf,
    SiteKind::kSymmetric, SiteKind::kCgnat,    SiteKind::kCgnatEim,   SiteKind::kUdpBlocked,
    SiteKind::kDualStack, SiteKind::kIpv6Only, SiteKind::kFwOnlyIpv6,
};

/// The laboratory's name: "eim_apdf".
[[nodiscard]] std::string_view ToString(SiteKind kind);

struct SiteOptions {
  std::string name;  // Of its kind if empty.
  Duration delay{};  // one way, on the line to the internet
  Duration udp_timeout = std::chrono::seconds(120);
  /// As in the laboratory, a kEimApdf with hairpin is a true port-restricted cone.
  Hairpin hairpin = Hairpin::kNo;
  std::optional<Ipv4Mode> v4;     // instead of what the kind says
  std::optional<NatOptions> nat;  // likewise; udp_timeout and hairpin are then its own
  std::optional<Ipv6Mode> v6;     // likewise
  Carrier* carrier = nullptr;     // Shared with other sites; a kind that has one gets its own.
};

/// What a kind is with these options.
[[nodiscard]] GatewayOptions GatewayOptionsOf(SiteKind kind, const SiteOptions& options);
/// The NAT of the carrier that a kind comes with.
[[nodiscard]] std::optional<NatOptions> CarrierNatOf(SiteKind kind, const SiteOptions& options);

class Site {
 public:
  /// The networks of a LAN; the prefix bits are for what the internet is told.
  struct Lan {
    std::optional<IpPrefix> v4;
    std::optional<IpPrefix> v6;
  };

  /// All must outlive this. `carrier` may be null.
  Site(Simulation& simulation, std::string name, SiteKind kind, Gateway& gateway, Carrier* carrier,
       const Lan& lan);

  /// A machine in the LAN, owned by the simulation.
  Host& AddHost(std::string name = {});

  /// Addresses for an interface in the LAN, one of each family there is.
  [[nodiscard]] std::vector<IpAddress> Lease();
  void GiveBack(const IpAddress& ip);

  /// The router restarts: see Gateway::Reboot(). The carrier does not.
  void Reboot() { gateway_.Reboot(); }

  /// Drops what the rule matches on the line to the internet, in both directions.
  void Block(BlockRule rule) { link().blocks.push_back(std::move(rule)); }

  void Unblock() { link().blocks.clear(); }

  /// The line to the internet, or to the carrier.
  [[nodiscard]] Link& link() { return gateway_.link; }

  /// The IPv4 address that the internet sees, if the site is behind a NAT.
  [[nodiscard]] std::optional<IpAddress> public_ip() const;

  [[nodiscard]] Zone& lan() { return gateway_.inner(); }

  [[nodiscard]] Gateway& gateway() { return gateway_; }

  [[nodiscard]] Carrier* carrier() { return carrier_; }

  [[nodiscard]] SiteKind kind() const { return kind_; }

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  Simulation& simulation_;
  std::string name_;
  SiteKind kind_;
  Gateway& gateway_;
  Carrier* carrier_;
  std::optional<AddressPool> pool4_;
  std::optional<AddressPool> pool6_;
  int hosts_ = 0;
};

}  // namespace floe::sim
