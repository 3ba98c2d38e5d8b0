// What a NAT does to UDP: its mappings, their ports and lives, and whom it lets in.
//
// Source: RFC 4787 sections 4 and 5, whose words these are. One outside address, IPv4.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

/// What an outside port depends on, besides the inside endpoint.
enum class Mapping : std::uint8_t {
  kEndpointIndependent,
  kAddressDependent,
  kAddressAndPortDependent,
};

/// Who may send to an outside port: anyone, an address that was sent to, an endpoint that was.
enum class Filtering : std::uint8_t {
  kEndpointIndependent,
  kAddressDependent,
  kAddressAndPortDependent,
};

enum class PortChoice : std::uint8_t {
  kPreserve,  // The inside port, or a random one where another inside endpoint has it.
  kRandom,
  kSequential,  // One above the last.
};

enum class Hairpin : std::uint8_t { kNo, kYes };

/// Which packets keep a mapping alive.
enum class Refresh : std::uint8_t { kOutbound, kBothWays };

struct NatOptions {
  Mapping mapping = Mapping::kEndpointIndependent;
  Filtering filtering = Filtering::kAddressAndPortDependent;
  PortChoice ports = PortChoice::kPreserve;
  Hairpin hairpin = Hairpin::kNo;
  Refresh refresh = Refresh::kOutbound;
  Duration timeout = std::chrono::seconds(120);
  /// How long an unanswered flow lives, if that is shorter than `timeout`.
  Duration unanswered_timeout = std::chrono::seconds(120);

  /// Linux masquerade, as most home routers do it: each flow has its own mapping that keeps the
  /// source port unless another inside endpoint has it towards the same remote. So it looks
  /// endpoint-independent until two hosts contend for a port.
  [[nodiscard]] static NatOptions Masquerade();

  /// Linux masquerade to random ports: address and port-dependent in mapping and filtering.
  [[nodiscard]] static NatOptions Symmetric();

  /// The "cone" with this filtering: one mapping per inside endpoint, towards all.
  [[nodiscard]] static NatOptions Cone(Filtering filtering);
};

class Nat {
 public:
  /// `random` must outlive this.
  Nat(const NatOptions& options, test::FakeRandom& random) : options_(options), random_(random) {}

  /// An outgoing packet: the outside port it leaves from, or nothing if there is none left.
  [[nodiscard]] std::optional<std::uint16_t> TranslateOut(TimePoint now,
                                                          const SocketAddress& inside,
                                                          const SocketAddress& remote);

  /// An incoming packet: the inside endpoint it is for, or nothing if the NAT refuses it. What is
  /// refused leaves no trace.
  [[nodiscard]] std::optional<SocketAddress> TranslateIn(TimePoint now, std::uint16_t port,
                                                         const SocketAddress& remote);

  /// The inside endpoint behind `port` whoever sends: hairpinned packets are not filtered.
  [[nodiscard]] std::optional<SocketAddress> TranslateHairpin(TimePoint now, std::uint16_t port);

  /// From here on whoever sends to this outside port reaches `inside`, which answers from there: a
  /// rule that the owner has made. It outlives Reset().
  void Forward(std::uint16_t port, const SocketAddress& inside) {
    forwards_.emplace_back(port, inside);
  }

  /// Forgets all mappings.
  void Reset() { mappings_.clear(); }

  [[nodiscard]] const NatOptions& options() const { return options_; }

  /// Mappings alive at `now`.
  [[nodiscard]] std::size_t CountMappings(TimePoint now) const;

 private:
  /// A remote endpoint that was sent to.
  struct Contact {
    SocketAddress remote;
    TimePoint expires;
    bool answered = false;
  };

  struct Entry {
    SocketAddress inside;
    SocketAddress key;  // What the mapping depends on; parts it does not depend on are zero.
    std::uint16_t port = 0;
    TimePoint expires;
    std::vector<Contact> contacts;
  };

  [[nodiscard]] SocketAddress Key(const SocketAddress& remote) const;
  [[nodiscard]] Entry* Find(const SocketAddress& inside, const SocketAddress& key);
  /// The contact that lets `remote` in; null if there is none.
  [[nodiscard]] Contact* Permit(Entry& entry, TimePoint now, const SocketAddress& remote) const;
  [[nodiscard]] std::optional<std::uint16_t> PickPort(const SocketAddress& inside,
                                                      const SocketAddress& key);
  [[nodiscard]] bool IsTaken(std::uint16_t port, const SocketAddress& inside,
                             const SocketAddress& key, PortChoice choice) const;
  void Prolong(Entry& entry, Contact& contact, TimePoint now) const;
  void Prune(TimePoint now);

  NatOptions options_;
  test::FakeRandom& random_;
  // A handful in any scenario, so a scan is faster than a table.
  std::vector<Entry> mappings_;
  std::uint16_t next_port_ = 30'000;  // Of kSequential.
  std::vector<std::pair<std::uint16_t, SocketAddress>> forwards_;
};

}  // namespace floe::sim
