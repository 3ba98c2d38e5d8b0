// A stream through an HTTP proxy, used like the stream below it.
//
// Source: RFC 9110 section 9.3.6 (CONNECT), RFC 7617 (Basic authentication).

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/proxy.h"
#include "base/result.h"
#include "base/time.h"
#include "base/uv/byte_stream.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"

namespace floe::uv {

/// Open once the proxy has said 2xx. Anything else it says is CloseReason::kConnectFailed.
class HttpTunnel : public ByteStream {
 public:
  /// `below` leads to the proxy. `target` is "host:port", with IPv6 in brackets. The loop must
  /// outlive it.
  HttpTunnel(Loop& loop, std::unique_ptr<ByteStream> below, std::string target, const Proxy& proxy,
             TimePoint deadline);

  void Start(StreamHandlers handlers) override;
  void Write(Bytes data) override;
  void Shutdown() override;
  [[nodiscard]] std::size_t write_queue_size() const override;

  [[nodiscard]] State state() const override { return state_; }

  /// The proxy's connection.
  [[nodiscard]] Result<SocketAddress> local_address() const override;
  [[nodiscard]] Result<SocketAddress> remote_address() const override;

 private:
  void Ask();
  void HandleBytes(Bytes bytes);
  void Close(CloseReason reason, Error error);

  std::unique_ptr<ByteStream> below_;
  std::string target_;
  SecretString request_;  // Holds the proxy's password. Empty once it was sent.
  std::string answer_;    // As much of its head as has come.
  State state_ = State::kConnecting;
  std::vector<std::uint8_t> pending_;  // Written before the proxy has agreed.
  StreamHandlers handlers_;
  Timer deadline_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace floe::uv
