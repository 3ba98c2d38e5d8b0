// The sockets of multicast DNS: questions to the groups of every network of ours, and what is
// answered.
//
// Source: RFC 6762 sections 3, 5.1 and 6.7.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/udp_socket.h"

namespace floe::ice {

/// Asks from a port of its own, to which proper responders answer directly, and listens to the
/// group as well, for those that answer everybody. Other responders on this machine go on.
class MdnsSockets {
 public:
  /// What came from port 5353. Must not destroy this object.
  using OnDatagram = std::function<void(Bytes)>;

  /// The loop must outlive it.
  MdnsSockets(uv::Loop& loop, OnDatagram on_datagram);

  MdnsSockets(const MdnsSockets&) = delete;
  MdnsSockets& operator=(const MdnsSockets&) = delete;

  /// Makes it so that there is one pair of sockets for each of these addresses of ours. Where
  /// multicast is not to be had there is none, and nobody answers.
  void Open(const std::vector<IpAddress>& locals);

  void Send(Bytes query);

 private:
  struct Network {
    SocketAddress local;
    std::uint32_t interface = 0;  // Its number.
    uv::UdpSocket ask;
    UniqueFd group;
    std::unique_ptr<uv::Poll> ask_poll;
    std::unique_ptr<uv::Poll> group_poll;
  };

  [[nodiscard]] Result<void> OpenOne(const IpAddress& local);
  [[nodiscard]] Result<void> Watch(Network& network);
  void ReadGroup(const Network& network);

  uv::Loop& loop_;
  OnDatagram on_datagram_;
  std::vector<std::unique_ptr<Network>> networks_;
};

}  // namespace floe::ice
