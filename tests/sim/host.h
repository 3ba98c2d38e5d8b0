// A machine of the simulation: its interfaces, and the node that runs on it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/flow.h"
#include "tests/sim/interface.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/streams.h"

namespace floe::sim {

/// Drives its node: one input, all outputs drained, the next wake-up armed. A node that is called
/// more than kMaxCalls times within one instant spins; that ends the process, and so the test.
///
/// The functions that change something are for tests: call them between runs or from
/// Simulation::At(), never out of a node.
class Host final : public EventSink {
 public:
  static constexpr std::uint32_t kMaxCalls = 10'000;

  /// All must outlive this.
  Host(EventQueue& events, Network& network, Streams& streams, std::string name);

  /// Starts a node, which must live until Detach() or as long as this. One at a time.
  void Attach(Node& node);
  /// The program ends: its streams are closed by the system, and packets find nobody.
  void Detach();

  /// Drains and arms the node after a test has changed it.
  void Poke();

  /// Sleep of the whole machine: nothing runs and nothing is received; the clock goes on.
  void Suspend() { suspended_ = true; }

  void Resume();

  /// Attaches another interface, at a site or (for servers) in a zone.
  Interface& Join(Site& site);
  Interface& Join(Zone& zone, std::vector<IpAddress> addresses);
  /// Detaches an interface; its addresses are gone.
  void Leave(Interface& interface);
  /// Leaves where the first interface is and joins `site` in one moment.
  void Roam(Site& site);
  /// Other addresses from the same site, on the first interface.
  void Readdress();

  /// Of all interfaces, in order.
  [[nodiscard]] std::vector<IpAddress> addresses() const;

  /// The first of a family. Requires that there is one.
  [[nodiscard]] IpAddress ip4() const { return First(IpFamily::kIpv4); }

  [[nodiscard]] IpAddress ip6() const { return First(IpFamily::kIpv6); }

  /// The first interface that is attached. Requires that there is one.
  [[nodiscard]] Interface& interface();

  /// The line of the first interface to its LAN.
  [[nodiscard]] Link& link() { return interface().link; }

  /// The interface with this address, or the first of its family if it is unspecified; null if
  /// there is none. `ip` becomes the address that is meant.
  [[nodiscard]] Interface* FindInterface(IpAddress& ip);

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] Node* node() { return node_; }

  /// Whether somebody is there to receive.
  [[nodiscard]] bool awake() const { return node_ != nullptr && !suspended_; }

  [[nodiscard]] bool suspended() const { return suspended_; }

  // From the network and the streams. They require awake().
  void Receive(const Flow& flow, Bytes payload);
  void StreamOpened(StreamId id, const SocketAddress& remote);
  void StreamBytes(StreamId id, Bytes bytes);
  void StreamClosed(StreamId id);

  void HandleEvent(TimePoint now, std::uint64_t tag) override;

 private:
  [[nodiscard]] IpAddress First(IpFamily family) const;
  void Release(Interface& interface);
  void Settle(Interface& interface, Zone& zone, Site* site, std::vector<IpAddress> addresses);
  void TellAddresses();
  void Drain();
  void Send(Node::Transmit transmit);
  void Arm();
  /// Counts a call of the node and ends the process if it spins.
  void CountCall();

  EventQueue& events_;
  Network& network_;
  Streams& streams_;
  std::string name_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  Node* node_ = nullptr;
  bool suspended_ = false;
  std::optional<TimePoint> armed_;  // when the event with number wakeup_ is due
  std::uint64_t wakeup_ = 0;
  TimePoint instant_;
  std::uint32_t calls_ = 0;  // within instant_
};

}  // namespace floe::sim
