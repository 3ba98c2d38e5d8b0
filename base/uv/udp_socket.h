// A UDP socket that tells and chooses the local address of every datagram.
//
// Source: ip(7), ipv6(7), RFC 3542 section 6 (packet information), udp(7) (UDP_SEGMENT, UDP_GRO).
//
// `tos` is always the octet of the IP header with DSCP and ECN, the traffic class of IPv6.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/unique_fd.h"

namespace floe::uv {

enum class SendResult : std::uint8_t {
  kSent,
  kDropped,      // A queue is full, or a local filter ate it. It may work the next time.
  kUnreachable,  // No route, or the source address is no longer ours: this path is gone.
  kTooBig,       // Larger than the way takes, see each call; or than a datagram can be.
};

/// What the kernel does for several datagrams of one way at once.
struct UdpOffloads {
  bool segment = true;  // It is given them as one, to be cut (UDP_SEGMENT).
  bool gro = true;      // It gives them as one (UDP_GRO).

  bool operator==(const UdpOffloads&) const = default;
};

/// Since the socket was opened, in datagrams.
struct UdpCounters {
  std::uint64_t truncated = 0;     // Received, and larger than kMaxDatagram.
  std::uint64_t malformed = 0;     // Received without a usable address.
  std::uint64_t send_dropped = 0;  // Sends that ended as kDropped.
  std::uint64_t too_big = 0;       // Calls that ended as kTooBig.
};

/// Any thread may send, while one receives.
///
/// Bound to the wildcard address of one family, of which a node has one for IPv4 and one for IPv6,
/// or to one address. No call blocks. Datagrams that do not fit the way are fragmented, not
/// refused, but for those of SendWhole().
class UdpSocket {
 public:
  static constexpr std::size_t kMaxDatagram = 9216;    // bytes, received: what jumbo frames hold
  static constexpr std::size_t kBatch = 16;            // messages to one recvmmsg()
  static constexpr std::size_t kMaxSegments = 64;      // datagrams to one sendmsg()
  static constexpr std::size_t kMaxTogether = 65'000;  // bytes to one sendmsg()

  /// Borrows `datagram` until it returns. Must not destroy the socket, nor receive from any.
  using OnDatagram = std::function<void(const SocketAddress& local, const SocketAddress& remote,
                                        Bytes datagram, std::uint8_t tos)>;

  /// Port 0 lets the kernel choose. `fwmark` other than 0 marks every packet for policy routing,
  /// and needs CAP_NET_ADMIN. An occupied port fails with address_in_use and a context that is a
  /// sentence: "UDP port 41820 is in use".
  [[nodiscard]] static Result<UdpSocket> Open(IpFamily family, std::uint16_t port,
                                              std::uint32_t fwmark = 0);

  /// Bound to one address of this machine. Port 0 lets the kernel choose.
  [[nodiscard]] static Result<UdpSocket> OpenAt(const SocketAddress& local);

  ~UdpSocket();
  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&& other) noexcept;
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  /// Sends from the address `local.ip`, or from whichever the kernel chooses if it is unspecified.
  /// The port of `local` does not matter: it is always port(). A link-local `local.ip` goes out of
  /// the interface its scope names. Addresses of the other family are kUnreachable.
  /// `interface` other than 0 is the number of the one to go out of, for a machine that has several
  /// ways out: without it the best route decides, which may not fit the source address.
  [[nodiscard]] SendResult Send(const SocketAddress& local, const SocketAddress& remote,
                                Bytes datagram, std::uint32_t interface = 0, std::uint8_t tos = 0);

  /// As Send(), with DF: where the datagram does not fit, it is lost and not fragmented. For probes
  /// of what a path takes, which are few: what another thread sends in the same instant may have DF
  /// as well. kTooBig: the interface does not take it, or it is larger than LargestWhole(), which
  /// may be wrong, and has been sent.
  [[nodiscard]] SendResult SendWhole(const SocketAddress& local, const SocketAddress& remote,
                                     Bytes datagram, std::uint32_t interface = 0,
                                     std::uint8_t tos = 0);

  /// As Send(), for several datagrams of one way. `datagrams` holds them end to end, each of `size`
  /// bytes but the last, which may be smaller: at most kMaxSegments, and kMaxTogether bytes. They
  /// go one by one where the kernel or the way does not take them together. Returns the first
  /// result that is not kSent; kTooBig if they are larger than LargestWhole(), and have gone in
  /// fragments.
  [[nodiscard]] SendResult SendTogether(const SocketAddress& local, const SocketAddress& remote,
                                        Bytes datagrams, std::size_t size,
                                        std::uint32_t interface = 0, std::uint8_t tos = 0);

  /// The largest datagram that goes this way in one piece, in bytes, as far as the kernel knows:
  /// from its interfaces, and for ten minutes from ICMP, which can be forged. Nothing without a
  /// route.
  [[nodiscard]] std::optional<std::size_t> LargestWhole(const SocketAddress& local,
                                                        const SocketAddress& remote) const;

  /// Datagrams that came together: end to end, each of `size` bytes but the last, which may be
  /// smaller. There are kRoomInFront and kRoomBehind bytes of memory around them. As OnDatagram.
  using OnDatagrams = std::function<void(const SocketAddress& local, const SocketAddress& remote,
                                         Bytes datagrams, std::size_t size, std::uint8_t tos)>;
  static constexpr std::size_t kRoomInFront = 64;
  static constexpr std::size_t kRoomBehind = 512;

  /// Hands over what is waiting, at most `max_batches` times kBatch messages of the kernel, each of
  /// which may be several datagrams that came together, so that a flood does not keep the loop from
  /// its other work. `local` has our port and the address the datagram was sent to. Returns how
  /// many messages there were.
  std::size_t Receive(const OnDatagram& on_datagram, std::size_t max_batches);

  /// The same, without telling the datagrams of a message apart.
  std::size_t ReceiveTogether(const OnDatagrams& on_datagrams, std::size_t max_batches);

  /// Uses these and no others. To begin with it uses all, as far as the kernel can.
  void SetOffloads(UdpOffloads wanted);

  /// Those in use. SendTogether() switches `segment` off when the kernel refuses it.
  [[nodiscard]] UdpOffloads offloads() const;

  /// For polling. The socket still owns it.
  [[nodiscard]] int fd() const { return fd_.get(); }

  [[nodiscard]] IpFamily family() const { return family_; }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  [[nodiscard]] UdpCounters counters() const;

 private:
  struct Batch;   // What one recvmmsg() writes to.
  struct Shared;  // What the threads share.

  [[nodiscard]] static Batch& SharedBatch();

  UdpSocket(UniqueFd fd, IpFamily family, std::uint16_t port);

  [[nodiscard]] static Result<UdpSocket> Open(const SocketAddress& local, std::uint32_t fwmark);

  /// 0, or the error. `segment` other than 0 is the size of each datagram in `bytes`.
  [[nodiscard]] int Transmit(const SocketAddress& local, const SocketAddress& remote, Bytes bytes,
                             std::uint32_t interface, std::uint8_t tos, std::size_t segment);
  /// Learns from what the kernel said to datagrams that were to go together.
  void JudgeSegmenting(int error, SendResult one_by_one);
  void Deliver(Batch& batch, std::size_t index, const OnDatagrams& on_datagrams);

  UniqueFd fd_;
  IpFamily family_;
  std::uint16_t port_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace floe::uv
