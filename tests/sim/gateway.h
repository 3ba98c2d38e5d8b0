// The router between an inner zone and an outer one: NAT, firewall, or neither, for each family.

#pragma once

#include <cstdint>
#include <optional>

#include "base/socket_address.h"
#include "base/time.h"
#include "tests/sim/address_pool.h"
#include "tests/sim/firewall.h"
#include "tests/sim/flow.h"
#include "tests/sim/link.h"
#include "tests/sim/nat.h"
#include "tests/sim/packet_observer.h"
#include "tests/sim/zone.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

enum class Ipv4Mode : std::uint8_t { kNone, kOpen, kFirewall, kNat };
enum class Ipv6Mode : std::uint8_t { kNone, kOpen, kFirewall };
enum class Egress : std::uint8_t { kAll, kNoUdp };

struct GatewayOptions {
  Ipv4Mode v4 = Ipv4Mode::kNat;
  NatOptions nat;
  Ipv6Mode v6 = Ipv6Mode::kNone;
  Egress egress = Egress::kAll;
  FirewallOptions firewall;
};

/// Packets of UDP pass Out() and In(), which change the flow they are given as the NAT does and say
/// kNone, or why the packet ends here. Streams are not translated flow by flow: PassesStream().
class Gateway {
 public:
  /// Becomes the uplink of `inner`. With a NAT, takes its outside address from `pool`. All must
  /// outlive this.
  Gateway(const GatewayOptions& options, Zone& inner, Zone& outer, AddressPool& pool,
          test::FakeRandom& random);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  Link link;  // the line to the outer zone; `up` is away from the site

  /// Makes `prefix`, a network of the inner zone, known outside, at outer gateways too.
  void Announce(const IpPrefix& prefix);

  [[nodiscard]] Drop Out(TimePoint now, Flow& flow);
  [[nodiscard]] Drop In(TimePoint now, Flow& flow);

  /// Whether an outgoing packet is for this NAT's own outside address.
  [[nodiscard]] bool IsHairpin(const Flow& flow) const { return flow.to.ip == outside_; }

  /// Translates both ends of such a packet, which then goes back into the inner zone.
  [[nodiscard]] Drop Turn(TimePoint now, Flow& flow);

  /// Whether a TCP connection between these families may be opened in this direction. `flow.from`
  /// becomes what the outer zone sees.
  [[nodiscard]] bool PassesStream(Direction direction, Flow& flow) const;

  /// Mappings and firewall states are lost, as when they time out. The address stays.
  void ForgetMappings();

  /// Power off and on: mappings and firewall states are lost, streams through it die, and a NAT
  /// gets another outside address.
  void Reboot();

  /// Grows with each Reboot().
  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }

  [[nodiscard]] std::optional<IpAddress> outside() const { return outside_; }

  [[nodiscard]] Zone& inner() { return inner_; }

  [[nodiscard]] Zone& outer() { return outer_; }

  [[nodiscard]] Nat& nat() { return nat_; }

 private:
  void TakeOutsideAddress();

  GatewayOptions options_;
  Zone& inner_;
  Zone& outer_;
  AddressPool& pool_;
  Nat nat_;
  Firewall firewall_;
  std::optional<IpAddress> outside_;
  std::uint32_t epoch_ = 0;
};

}  // namespace floe::sim
