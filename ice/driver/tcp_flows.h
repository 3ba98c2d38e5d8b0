// The connections of ICE over TCP.
//
// Source: RFC 6544 sections 4 to 7, RFC 4571 (framing). Agent names a connection by two addresses:
// see ice::Transmit. Simultaneous-open is not made.

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

/// Connects for active candidates when there is something to send, and accepts for passive ones.
class TcpFlows {
 public:
  static constexpr std::size_t kMaxConnected = 64;
  static constexpr std::size_t kMaxAccepted = 64;  // Anybody may connect.

  /// `on_packet` gets what came by a flow, `on_gone` its end, also when it could not be opened.
  /// Both are called from the loop alone, and must not destroy this object.
  struct Handlers {
    std::function<void(const SocketAddress& local, const SocketAddress& remote, Bytes packet)>
        on_packet;
    std::function<void(const SocketAddress& local, const SocketAddress& remote)> on_gone;
  };

  /// The loop must outlive it.
  TcpFlows(uv::Loop& loop, Handlers handlers);

  TcpFlows(const TcpFlows&) = delete;
  TcpFlows& operator=(const TcpFlows&) = delete;

  /// Accepts connections to this address of ours; returns it with the port, which is that of a
  /// passive candidate.
  [[nodiscard]] Result<SocketAddress> Listen(const IpAddress& ip);

  /// False if there is no such flow and none can be made: then it is gone, and `on_gone` is not
  /// called.
  [[nodiscard]] bool Send(const SocketAddress& local, const SocketAddress& remote, Bytes packet);

 private:
  using Name = std::pair<SocketAddress, SocketAddress>;  // Local, remote.

  struct Flow {
    std::unique_ptr<uv::Stream> stream;
    tcp::Deframer deframer;
    tcp::FrameQueue queue;
    bool accepted = false;
    bool answered = false;     // We have sent something on it.
    bool reconnected = false;  // A flow that is reset is opened once more.
    TimePoint opened;
  };

  [[nodiscard]] bool Connect(const Name& name, Flow& flow);
  void Accept(const SocketAddress& local, std::unique_ptr<uv::Stream> stream);
  void Start(const Name& name, Flow& flow);
  void HandleData(const Name& name, Bytes bytes);
  void HandleClose(const Name& name, bool reset);
  void Pump(Flow& flow);
  void CloseIdle();
  [[nodiscard]] std::size_t Count(bool accepted) const;

  uv::Loop& loop_;
  Handlers handlers_;
  std::vector<std::unique_ptr<uv::Listener>> listeners_;
  std::map<Name, std::unique_ptr<Flow>> flows_;
  uv::Timer sweep_;
};

}  // namespace floe::ice
