// A whole internet in one process: virtual time, sites, servers, and the nodes on them.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/sim/carrier.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/host.h"
#include "tests/sim/network.h"
#include "tests/sim/site.h"
#include "tests/sim/streams.h"
#include "tests/support/fake_random.h"

namespace floe::sim {

struct ServerOptions {
  std::string name;
  int addresses = 1;  // of each family; two make RFC 5780 possible
  Duration delay{};   // one way, on its line to the internet
};

/// All that happens follows from the seed and from what the test does. Objects it returns live as
/// long as this.
class Simulation final : private EventSink {
 public:
  /// Not zero, so that a node may count back from now.
  static constexpr TimePoint kStart = TimePoint{} + std::chrono::hours(1);

  explicit Simulation(std::uint64_t seed);

  [[nodiscard]] TimePoint now() const { return events_.now(); }

  /// Runs all events up to and at `deadline`, where the clock then stands.
  void RunUntil(TimePoint deadline);

  void RunFor(Duration duration) { RunUntil(now() + duration); }

  /// Runs until `done`, which is asked first and after each event. False if the deadline came
  /// first.
  [[nodiscard]] bool RunUntil(const std::function<bool()>& done, TimePoint deadline);

  /// Calls `act` at `time`.
  void At(TimePoint time, std::function<void()> act);

  Site& AddSite(SiteKind kind, SiteOptions options = {});
  Carrier& AddCarrier(CarrierOptions options = {});
  Host& AddServer(ServerOptions options = {});
  /// A host that is attached nowhere; Site::AddHost() and Host::Join() attach.
  Host& AddHost(std::string name);

  [[nodiscard]] test::FakeRandom& random() { return random_; }

  [[nodiscard]] Network& network() { return network_; }

  [[nodiscard]] Streams& streams() { return streams_; }

 private:
  void HandleEvent(TimePoint now, std::uint64_t tag) override;
  /// Whether an event is due up to and at `deadline`.
  [[nodiscard]] bool IsDue(TimePoint deadline) const;
  [[nodiscard]] Site::Lan PlanLan(const GatewayOptions& options);

  test::FakeRandom random_;
  EventQueue events_{kStart};
  Network network_{events_, random_};
  Streams streams_{events_, random_, network_};
  AddressPool servers4_;
  AddressPool servers6_;
  AddressPool public4_;
  AddressPool open_lans_;  // the first address of each
  std::uint16_t closed_lans_ = 0;
  std::uint16_t lans6_ = 0;
  int servers_ = 0;
  std::vector<std::unique_ptr<Carrier>> carriers_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::function<void()>> acts_;
};

}  // namespace floe::sim
