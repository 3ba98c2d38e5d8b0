// The connections of ICE over TCP.
//
// Source: RFC 6544 sections 4 to 7, RFC 4571 (framing). Agent names a connection by two addresses:
// see ice::Transmit.

#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/uv/listener.h"
#include "base/uv/loop.h"
#include "base/uv/stream.h"
#include "base/uv/timer.h"
#include "ice/tcp/deframer.h"
#include "ice/tcp/frame_queue.h"

namespace floe::ice {

/// Connects for active and simultaneous-open candidates when there is something to send, and
/// accepts for passive ones and those of simultaneous-open.
///
/// Anybody may connect. Who does is a stranger until something is sent back, which only an
/// authentic message makes an agent do. There are at most kMaxStrangers, the oldest of which makes
/// room for the next, and few of one source; after ten seconds a stranger is closed.
class TcpFlows {
 public:
  static constexpr std::size_t kMaxListeners = 16;
  static constexpr std::size_t kMaxConnected = 256;
  static constexpr std::size_t kMaxAccepted = 256;  // Without strangers.
  static constexpr std::size_t kMaxStrangers = 32;
  static constexpr std::size_t kMaxStrangersOfOne = 4;  // IPv4 address, or /64 of IPv6.

  /// `on_packet` gets what came by a flow, `on_gone` its end, also when it could not be opened.
  /// Both are called from the loop alone, and must not destroy this object.
  struct Handlers {
    std::function<void(const SocketAddress& local, const SocketAddress& remote, Bytes packet)>
        on_packet;
    std::function<void(const SocketAddress& local, const SocketAddress& remote)> on_gone;
  };

  /// The loop must outlive it. `fwmark` as for uv::Stream::ConnectTcp().
  TcpFlows(uv::Loop& loop, Handlers handlers, std::uint32_t fwmark = 0);

  TcpFlows(const TcpFlows&) = delete;
  TcpFlows& operator=(const TcpFlows&) = delete;

  /// Accepts connections at these addresses of ours and at none that is not among them, by their
  /// ports or, where a port is taken, by another. Returns those of passive candidates; a port that
  /// cannot be had at all is left out.
  [[nodiscard]] std::vector<SocketAddress> Listen(const std::vector<SocketAddress>& locals);

  /// The address of a simultaneous-open candidate, from which connections are made and at which
  /// they are accepted.
  [[nodiscard]] Result<SocketAddress> OpenSimultaneous(const IpAddress& ip);

  /// False if there is no such flow and none can be made: then it is gone, and `on_gone` is not
  /// called.
  [[nodiscard]] bool Send(const SocketAddress& local, const SocketAddress& remote, Bytes packet);

 private:
  using Name = std::pair<SocketAddress, SocketAddress>;  // Local, remote.

  enum class Purpose : std::uint8_t { kPassive, kSimultaneousOpen };

  struct Place {
    SocketAddress wanted;
    SocketAddress local;  // What became of it.
    Purpose purpose = Purpose::kPassive;
    std::unique_ptr<uv::Listener> listener;
  };

  struct Flow {
    std::unique_ptr<uv::Stream> stream;  // Null: simultaneous-open is tried again at `retry`.
    tcp::Deframer deframer;
    tcp::FrameQueue queue;
    bool accepted = false;
    bool answered = false;     // We have sent something on it.
    bool reconnected = false;  // A flow that is reset is opened once more.
    bool was_open = false;
    TimePoint opened;
    TimePoint used;  // When something was last sent or came.
    TimePoint retry;

    [[nodiscard]] bool is_stranger() const { return accepted && !answered; }
  };

  [[nodiscard]] Result<SocketAddress> Open(const SocketAddress& wanted, Purpose purpose);
  [[nodiscard]] bool OpensBothWays(const SocketAddress& local) const;
  [[nodiscard]] bool Connect(const Name& name, Flow& flow);
  [[nodiscard]] Flow* FindOrConnect(const Name& name);
  [[nodiscard]] bool AdmitStranger(const SocketAddress& remote);
  void Accept(const SocketAddress& local, std::unique_ptr<uv::Stream> stream);
  Flow& Keep(const Name& name, std::unique_ptr<Flow> flow);
  void Start(const Name& name, Flow& flow);
  void TryAgain(Flow& flow);
  void HandleData(const Name& name, Bytes bytes);
  void HandleClose(const Name& name, bool reset);
  void Pump(Flow& flow);
  void Sweep();
  [[nodiscard]] bool IsOver(const Flow& flow, TimePoint now) const;

  template <typename Predicate>
  [[nodiscard]] std::size_t Count(Predicate is_such) const;

  uv::Loop& loop_;
  Handlers handlers_;
  std::uint32_t fwmark_;
  std::vector<Place> places_;
  std::map<Name, std::unique_ptr<Flow>> flows_;
  uv::Timer sweep_;  // Armed while there are flows.
};

}  // namespace floe::ice
