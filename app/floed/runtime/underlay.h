// The network under the tunnel: our UDP sockets, and the addresses they can be reached at.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "app/config/config.h"
#include "app/floed/runtime/hand_over.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/timer.h"
#include "base/uv/udp_offload_check.h"
#include "base/uv/udp_socket.h"
#include "ice/agent.h"
#include "ice/portmap/mapper.h"
#include "tun/interface_monitor.h"
#include "tun/usable_addresses.h"

namespace floe::daemon {

/// One port for IPv4 and the same for IPv6, where the machine has it.
class Underlay {
 public:
  /// The loop must outlive it. `on_change` is called a moment after addresses() or gateways() has
  /// become another list. Fails if the port is taken.
  [[nodiscard]] static Result<std::unique_ptr<Underlay>> Open(uv::Loop& loop,
                                                              const config::Config& config,
                                                              std::function<void()> on_change);

  Underlay(uv::Loop& loop, uv::UdpSocket v4, std::optional<uv::UdpSocket> v6,
           tun::InterfaceMonitor monitor, uv::UdpOffloadReport offload_report,
           const config::Config& config, std::function<void()> on_change);

  Underlay(const Underlay&) = delete;
  Underlay& operator=(const Underlay&) = delete;

  /// Begins to watch for changes.
  [[nodiscard]] Result<void> Start();

  /// One end and the other of a way that datagrams take.
  using Way = std::pair<SocketAddress, SocketAddress>;

  /// After SendNow() has said kTooBig. For any thread.
  [[nodiscard]] std::optional<NarrowWay> Measure(const SocketAddress& local,
                                                 const SocketAddress& remote);

  /// Leaves at once or with the next Flush(), together with others that go the same way alike.
  void Send(const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
            ice::Handling handling = {});

  /// While strangers flood us: see flood_filter.h. To be told again as often as one likes.
  void SetFlooded(bool flooded);

  /// Sends what is waiting. Returns the ways that cannot be taken, since the last call.
  [[nodiscard]] std::vector<Way> Flush();

  /// Ways that took datagrams of Send() in pieces or not at all, since the last call.
  [[nodiscard]] std::vector<NarrowWay> TakeNarrowWays() { return std::exchange(narrow_, {}); }

  /// How many sends were too big for their way.
  [[nodiscard]] std::uint64_t too_big() const {
    return v4_.counters().too_big + (v6_ ? v6_->counters().too_big : 0);
  }

  /// Sends datagrams together, see UdpSocket::SendTogether(). For any thread.
  [[nodiscard]] uv::SendResult SendNow(const SocketAddress& local, const SocketAddress& remote,
                                       std::uint8_t tos, Bytes datagrams, std::size_t size);

  /// To receive from: that of IPv4, and that of IPv6 where there is one.
  [[nodiscard]] const std::vector<uv::UdpSocket*>& sockets() const { return sockets_; }

  /// What was found of the kernel at the start, and of that what is still in use.
  [[nodiscard]] const uv::UdpOffloadReport& offload_report() const { return offload_report_; }

  [[nodiscard]] uv::UdpOffloads offloads() const;

  /// Usable addresses with our port: preferred interfaces first, then those of the default route.
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return addresses_; }

  /// The router before each of addresses(), where there is one.
  [[nodiscard]] const std::vector<ice::portmap::Gateway>& gateways() const { return gateways_; }

  /// What peers are not to be told: networks of the configuration, and addresses() of interfaces it
  /// hides.
  [[nodiscard]] const std::vector<IpPrefix>& hidden() const { return hidden_; }

  /// The interface that packets from this address of ours have to name, or 0 where any route will
  /// do. For any thread.
  [[nodiscard]] std::uint32_t WayOutOf(const IpAddress& ip) const;

  [[nodiscard]] std::uint16_t port() const { return v4_.port(); }

 private:
  [[nodiscard]] uv::UdpSocket* SocketFor(const SocketAddress& remote);
  void SendWaiting();
  [[nodiscard]] uv::SendResult SendWaiting(uv::UdpSocket& socket);
  /// Returns whether addresses() changed.
  bool UpdateAddresses();

  uv::Loop& loop_;
  uv::UdpSocket v4_;
  std::optional<uv::UdpSocket> v6_;
  tun::InterfaceMonitor monitor_;
  tun::AddressPolicy policy_;
  config::PathsConfig paths_;
  uv::UdpOffloadReport offload_report_;
  std::function<void()> on_change_;
  std::vector<uv::UdpSocket*> sockets_;
  std::vector<SocketAddress> addresses_;
  std::vector<ice::portmap::Gateway> gateways_;
  std::vector<IpPrefix> hidden_;
  /// Where several interfaces have a default route: which one an address must go out of.
  std::unordered_map<IpAddress, std::uint32_t, IpAddressHash> ways_out_;  // Under the lock.
  mutable std::mutex ways_out_lock_;
  bool flooded_ = false;
  Way way_;                            // Of what is waiting.
  ice::Handling handling_;             // Likewise.
  std::vector<std::uint8_t> waiting_;  // Datagrams end to end, all of way_ ...
  std::size_t waiting_size_ = 0;       // ... and of so many bytes, but for the last.
  std::size_t waiting_count_ = 0;
  std::vector<Way> unreachable_;
  std::vector<NarrowWay> narrow_;
  std::unique_ptr<uv::Poll> poll_monitor_;
  uv::Timer settle_;  // One change makes many messages; wait for the last.
};

}  // namespace floe::daemon
