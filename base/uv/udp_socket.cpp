#include "base/uv/udp_socket.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/uv/native_address.h"

namespace floe::uv {
namespace {

// Received: the kernel takes twice as much, 30 ms at 500 Mbit/s, and the default of 208 KiB loses
// packets at a tenth of that. No more, for what waits there makes an echo request wait, too.
constexpr int kReceiveBuffer = 1024 * 1024;   // bytes
constexpr int kSendBuffer = 2 * 1024 * 1024;  // bytes

// The address, of which that of IPv6 is the larger, the size of a segment, and the TOS octet.
constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int));
constexpr std::size_t kMaxMessage = 65'536;  // bytes that datagrams may have together
constexpr int kMaxRefusals = 16;             // before UDP_SEGMENT is given up

struct alignas(cmsghdr) Control {
  std::array<char, kControlSize> bytes;
};

Error LastError(std::string context) {
  return Error{.code = {errno, std::system_category()}, .context = std::move(context)};
}

Result<void> SetOption(int fd, int level, int option, int value, const char* name) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) {
    return Fail(LastError(std::string("setsockopt ") + name));
  }
  return {};
}

/// The limits net.core.rmem_max and wmem_max do not hold for CAP_NET_ADMIN. A smaller buffer than
/// asked for still works.
void EnlargeBuffers(int fd) {
  for (const auto& [size, force, plain] : {std::tuple{kReceiveBuffer, SO_RCVBUFFORCE, SO_RCVBUF},
                                           std::tuple{kSendBuffer, SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) != 0) {
      setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
    }
  }
}

Result<void> Configure(int fd, IpFamily family, std::uint32_t fwmark) {
  Result<void> result;
  if (fwmark != 0) {
    result = SetOption(fd, SOL_SOCKET, SO_MARK, static_cast<int>(fwmark), "SO_MARK");
  }
  // Path MTU discovery is the tunnel's own matter, by SendWhole(). Without it the kernel leaves DF
  // clear and fragments, so that a path with a small MTU is slow and not dead.
  if (family == IpFamily::kIpv4) {
    return result.and_then([&] { return SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO"); })
        .and_then([&] { return SetOption(fd, IPPROTO_IP, IP_RECVTOS, 1, "IP_RECVTOS"); })
        .and_then([&] {
          return SetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "IP_MTU_DISCOVER");
        });
  }
  return result.and_then([&] { return SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"); })
      .and_then(
          [&] { return SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"); })
      .and_then([&] { return SetOption(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS"); })
      .and_then([&] {
        return SetOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT,
                         "IPV6_MTU_DISCOVER");
      });
}

/// Binds and returns the port.
Result<std::uint16_t> Bind(int fd, const SocketAddress& local) {
  const NativeAddress native(local);
  if (bind(fd, native.get(), native.size()) != 0) {
    const std::string name = local.ip.is_unspecified() ? "UDP port " + std::to_string(local.port)
                                                       : "UDP address " + ToString(local);
    return Fail(LastError(errno == EADDRINUSE ? name + " is in use" : "bind " + name));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return Fail(LastError("getsockname"));
  }
  const auto address = FromNative(reinterpret_cast<const sockaddr*>(&bound));
  return address ? address->port : local.port;
}

/// Adds to what goes along with the message.
template <typename Info>
void AddControl(msghdr& message, Control& control, int level, int type, const Info& info) {
  const std::size_t used = message.msg_controllen;
  auto* header = reinterpret_cast<cmsghdr*>(control.bytes.data() + used);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof(Info));
  std::memcpy(CMSG_DATA(header), &info, sizeof(Info));
  message.msg_control = control.bytes.data();
  message.msg_controllen = used + CMSG_SPACE(sizeof(Info));
}

void PinSource(msghdr& message, Control& control, const IpAddress& source,
               std::uint32_t interface) {
  if (source.is_v4()) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface);
    std::memcpy(&info.ipi_spec_dst, source.octets().data(), sizeof(info.ipi_spec_dst));
    AddControl(message, control, IPPROTO_IP, IP_PKTINFO, info);
    return;
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, source.octets().data(), sizeof(info.ipi6_addr));
  info.ipi6_ifindex = source.scope_id != 0 ? source.scope_id : interface;
  AddControl(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

/// The size of each of the datagrams that came together in a message, or nothing for one alone.
std::optional<std::size_t> FindSegmentSize(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(header), sizeof(size));
      return size > 0 ? std::optional(static_cast<std::size_t>(size)) : std::nullopt;
    }
  }
  return std::nullopt;
}

/// The TOS octet or traffic class that a message came with.
std::uint8_t FindTos(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) {
      return *CMSG_DATA(header);
    }
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) {
      int tos = 0;
      std::memcpy(&tos, CMSG_DATA(header), sizeof(tos));
      return static_cast<std::uint8_t>(tos);
    }
  }
  return 0;
}

/// The address a datagram was sent to.
std::optional<IpAddress> FindDestination(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    IpAddress ip;
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      // Not ipi_addr: that is no address of ours if the datagram was a broadcast.
      std::memcpy(ip.bytes.data(), &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
      return ip;
    }
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      ip.family = IpFamily::kIpv6;
      std::memcpy(ip.bytes.data(), &info.ipi6_addr, sizeof(info.ipi6_addr));
      ip.scope_id = ip.is_link_local() ? info.ipi6_ifindex : 0;
      return ip;
    }
  }
  return std::nullopt;
}

/// The kernel is too old, or the interface has no checksums of its own.
bool CannotSegment(int error) {
  return error == ENOPROTOOPT || error == EOPNOTSUPP || error == EIO;
}

bool IsLarger(std::size_t size, std::optional<std::size_t> most) {
  return most && size > *most;
}

SendResult Classify(int error) {
  switch (error) {
    case EMSGSIZE:
      return SendResult::kTooBig;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case ENODEV:
    case ENXIO:
    case EINVAL:  // The source address has been removed, or a route says blackhole.
      return SendResult::kUnreachable;
    default:
      // EAGAIN, ENOBUFS, ENOMEM, and EPERM: a packet filter's drop.
      return SendResult::kDropped;
  }
}

}  // namespace

struct UdpSocket::Shared {
  std::atomic<std::uint64_t> truncated{0};
  std::atomic<std::uint64_t> malformed{0};
  std::atomic<std::uint64_t> send_dropped{0};
  std::atomic<std::uint64_t> too_big{0};
  std::atomic<bool> segment{false};
  std::atomic<bool> gro{false};
  std::atomic<int> refused{0};  // Times in a row that datagrams went one by one alone.
};

struct UdpSocket::Batch {
  std::array<std::array<std::uint8_t, kRoomInFront + kMaxMessage + kRoomBehind>, kBatch> data;
  std::array<sockaddr_storage, kBatch> remotes;
  std::array<Control, kBatch> controls;
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> headers;

  /// recvmmsg() overwrites sizes and flags, so this precedes each.
  void Prepare() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {.iov_base = data[i].data() + kRoomInFront, .iov_len = kMaxMessage};
      headers[i] = {};
      msghdr& header = headers[i].msg_hdr;
      header.msg_name = &remotes[i];
      header.msg_namelen = sizeof(remotes[i]);
      header.msg_iov = &vectors[i];
      header.msg_iovlen = 1;
      header.msg_control = controls[i].bytes.data();
      header.msg_controllen = controls[i].bytes.size();
    }
  }
};

/// A megabyte, which is of use only within one Receive(): one for each thread, however many
/// sockets.
UdpSocket::Batch& UdpSocket::SharedBatch() {
  thread_local const auto batch = std::make_unique_for_overwrite<Batch>();
  return *batch;
}

UdpSocket::UdpSocket(UniqueFd fd, IpFamily family, std::uint16_t port)
    : fd_(std::move(fd)), family_(family), port_(port), shared_(std::make_unique<Shared>()) {}

UdpSocket::~UdpSocket() = default;
UdpSocket::UdpSocket(UdpSocket&& other) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept = default;

Result<UdpSocket> UdpSocket::Open(IpFamily family, std::uint16_t port, std::uint32_t fwmark) {
  return Open(SocketAddress{.ip = {.family = family}, .port = port}, fwmark);
}

Result<UdpSocket> UdpSocket::OpenAt(const SocketAddress& local) {
  return Open(local, /*fwmark=*/0);
}

Result<UdpSocket> UdpSocket::Open(const SocketAddress& local, std::uint32_t fwmark) {
  const IpFamily family = local.ip.family;
  UniqueFd fd(socket(ToNative(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!fd) {
    return Fail(LastError(family == IpFamily::kIpv4 ? "open an IPv4 UDP socket"
                                                    : "open an IPv6 UDP socket"));
  }
  if (auto configured = Configure(fd.get(), family, fwmark); !configured) {
    return Fail(std::move(configured.error()));
  }
  EnlargeBuffers(fd.get());
  auto bound = Bind(fd.get(), local);
  if (!bound) {
    return Fail(std::move(bound.error()));
  }
  UdpSocket result(std::move(fd), family, *bound);
  result.SetOffloads({});
  return result;
}

void UdpSocket::SetOffloads(UdpOffloads wanted) {
  // Where the kernel cannot, datagrams come one by one.
  const auto set = SetOption(fd_.get(), SOL_UDP, UDP_GRO, wanted.gro ? 1 : 0, "UDP_GRO");
  shared_->segment = wanted.segment;
  shared_->gro = wanted.gro && set.has_value();
}

UdpOffloads UdpSocket::offloads() const {
  return {.segment = shared_->segment, .gro = shared_->gro};
}

SendResult UdpSocket::Send(const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
                           std::uint32_t interface, std::uint8_t tos) {
  const int error = Transmit(local, remote, datagram, interface, tos, /*segment=*/0);
  if (error == 0) {
    return SendResult::kSent;
  }
  const SendResult result = Classify(error);
  shared_->send_dropped += result == SendResult::kDropped ? 1 : 0;
  shared_->too_big += result == SendResult::kTooBig ? 1 : 0;
  return result;
}

// What the kernel knows of a route it tells of connected sockets alone. The ICMP messages about one
// that is not connected it takes to heart, and does not hand on (udp(7)); IP_RECVERR would make it,
// but then sends to others fail with what is said of one.
std::optional<std::size_t> UdpSocket::LargestWhole(const SocketAddress& local,
                                                   const SocketAddress& remote) const {
  if (remote.ip.family != family_) {
    return std::nullopt;
  }
  const bool v4 = family_ == IpFamily::kIpv4;
  const UniqueFd asking(socket(ToNative(family_), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  int mark = 0;
  socklen_t size = sizeof(mark);
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_MARK, &mark, &size) == 0 && mark != 0) {
    setsockopt(asking.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
  }
  const NativeAddress from({local.ip, 0});
  const NativeAddress to(remote);
  const bool bound = local.ip.is_unspecified() || bind(asking.get(), from.get(), from.size()) == 0;
  int mtu = 0;
  size = sizeof(mtu);
  if (!bound || connect(asking.get(), to.get(), to.size()) != 0 ||
      getsockopt(asking.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu,
                 &size) != 0) {
    return std::nullopt;
  }
  const int headers = v4 ? 20 + 8 : 40 + 8;
  return static_cast<std::size_t>(std::max(mtu - headers, 0));
}

// The kernel has no word for DF that goes along with one message, and its cache of path MTUs, which
// a forged ICMP message fills, does not count for a probe (ip(7), IP_PMTUDISC_PROBE).
SendResult UdpSocket::SendWhole(const SocketAddress& local, const SocketAddress& remote,
                                Bytes datagram, std::uint32_t interface, std::uint8_t tos) {
  const bool v4 = family_ == IpFamily::kIpv4;
  const auto discover = [&](int value) {
    return setsockopt(fd_.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6,
                      v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, sizeof(value));
  };
  if (discover(v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE) != 0) {
    return SendResult::kDropped;
  }
  const SendResult result = Send(local, remote, datagram, interface, tos);
  discover(v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT);
  if (result == SendResult::kSent && IsLarger(datagram.size(), LargestWhole(local, remote))) {
    ++shared_->too_big;
    return SendResult::kTooBig;
  }
  return result;
}

SendResult UdpSocket::SendTogether(const SocketAddress& local, const SocketAddress& remote,
                                   Bytes datagrams, std::size_t size, std::uint32_t interface,
                                   std::uint8_t tos) {
  if (datagrams.size() <= size) {
    return Send(local, remote, datagrams, interface, tos);
  }
  int error = 0;
  if (shared_->segment) {
    error = Transmit(local, remote, datagrams, interface, tos, size);
    if (error == 0) {
      shared_->refused = 0;
      return SendResult::kSent;
    }
    if (Classify(error) == SendResult::kDropped && !CannotSegment(error)) {
      shared_->send_dropped += (datagrams.size() + size - 1) / size;
      return SendResult::kDropped;
    }
    // Else they may be larger than the interface lets through: one by one they are fragmented.
  }
  SendResult result = SendResult::kSent;
  for (std::size_t at = 0; at < datagrams.size(); at += size) {
    const Bytes datagram = datagrams.subspan(at, std::min(size, datagrams.size() - at));
    const SendResult sent = Send(local, remote, datagram, interface, tos);
    result = result == SendResult::kSent ? sent : result;
  }
  if (error == 0) {
    return result;
  }
  // EINVAL before Linux 6.14, of datagrams in pieces.
  if ((error == EMSGSIZE || error == EINVAL) && result == SendResult::kSent &&
      IsLarger(size, LargestWhole(local, remote))) {
    ++shared_->too_big;
    return SendResult::kTooBig;
  }
  JudgeSegmenting(error, result);
  return result;
}

void UdpSocket::JudgeSegmenting(int error, SendResult one_by_one) {
  // What also goes wrong one by one says nothing of segmenting.
  shared_->refused += one_by_one == SendResult::kSent ? 1 : 0;
  if (CannotSegment(error) || shared_->refused >= kMaxRefusals) {
    shared_->segment = false;
  }
}

int UdpSocket::Transmit(const SocketAddress& local, const SocketAddress& remote, Bytes bytes,
                        std::uint32_t interface, std::uint8_t tos, std::size_t segment) {
  const bool pinned = !local.ip.is_unspecified();
  if (remote.ip.family != family_ || (pinned && local.ip.family != family_)) {
    return ENETUNREACH;
  }
  const NativeAddress to(remote);
  iovec vector{.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.get());
  message.msg_namelen = to.size();
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  Control control{};
  if (pinned) {
    PinSource(message, control, local.ip, interface);
  }
  if (tos != 0) {
    const bool v4 = family_ == IpFamily::kIpv4;
    AddControl(message, control, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
               int{tos});
  }
  if (segment != 0) {
    AddControl(message, control, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
  }
  while (sendmsg(fd_.get(), &message, MSG_DONTWAIT) < 0) {
    if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

UdpCounters UdpSocket::counters() const {
  return {.truncated = shared_->truncated,
          .malformed = shared_->malformed,
          .send_dropped = shared_->send_dropped,
          .too_big = shared_->too_big};
}

std::size_t UdpSocket::Receive(const OnDatagram& on_datagram, std::size_t max_batches) {
  return ReceiveTogether(
      [&](const SocketAddress& local, const SocketAddress& remote, Bytes datagrams,
          std::size_t size, std::uint8_t tos) {
        std::size_t at = 0;
        do {  // Also for one that is empty.
          on_datagram(local, remote, datagrams.subspan(at, std::min(size, datagrams.size() - at)),
                      tos);
          at += size;
        } while (at < datagrams.size());
      },
      max_batches);
}

std::size_t UdpSocket::ReceiveTogether(const OnDatagrams& on_datagrams, std::size_t max_batches) {
  std::size_t total = 0;
  Batch& shared = SharedBatch();
  for (std::size_t batch = 0; batch < max_batches; ++batch) {
    shared.Prepare();
    int received = 0;
    do {
      received = recvmmsg(fd_.get(), shared.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) {
      return total;  // Empty. Another error has been cleared by reporting it, and says no more.
    }
    const auto count = static_cast<std::size_t>(received);
    for (std::size_t i = 0; i < count; ++i) {
      Deliver(shared, i, on_datagrams);
    }
    total += count;
    if (count < kBatch) {
      return total;  // Drained, as far as one more call would tell.
    }
  }
  return total;
}

void UdpSocket::Deliver(Batch& batch, std::size_t index, const OnDatagrams& on_datagrams) {
  mmsghdr& header = batch.headers[index];
  if ((header.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
    ++shared_->truncated;
    return;
  }
  const auto local = FindDestination(header.msg_hdr);
  const auto remote = FromNative(reinterpret_cast<const sockaddr*>(&batch.remotes[index]));
  if (!local || !remote) {
    ++shared_->malformed;
    return;
  }
  const Bytes message = Bytes(batch.data[index]).subspan(kRoomInFront, header.msg_len);
  const std::size_t size = FindSegmentSize(header.msg_hdr).value_or(message.size());
  if (size > kMaxDatagram) {
    ++shared_->truncated;
    return;
  }
  const std::uint8_t tos = FindTos(header.msg_hdr);  // One for all: the kernel joins no others.
  on_datagrams(SocketAddress{*local, port_}, *remote, message, size, tos);
}

}  // namespace floe::uv
