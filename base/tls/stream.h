// TLS on a stream, used like the stream below it.
//
// Source: RFC 8446 and RFC 5246 (both by OpenSSL), RFC 9525 (whose certificate it must be), RFC
// 7301 (ALPN).

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <openssl/ssl.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/tls/context.h"
#include "base/uv/byte_stream.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"

namespace floe::tls {

/// Open once the handshake is done, and then the other side is who it should be. A failed handshake
/// is CloseReason::kConnectFailed, and the error's context says why. An end of the stream below
/// without close_notify is an end like any other: what floe carries says itself where it ends.
class Stream : public uv::ByteStream {
 public:
  /// A client. The certificate must be for `server`, a host name or an IP address, for which the
  /// name is also sent (SNI) unless it is an address. `protocols` are offered by ALPN; a server
  /// that knows nothing of it is taken as well. The handshake must be done at `deadline`. Loop and
  /// context must outlive the stream.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> MakeClient(
      uv::Loop& loop, Context& context, std::unique_ptr<uv::ByteStream> below,
      const std::string& server, const std::vector<std::string>& protocols, TimePoint deadline);

  /// A server, on a stream that was accepted.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> MakeServer(
      uv::Loop& loop, Context& context, std::unique_ptr<uv::ByteStream> below, TimePoint deadline);

  struct FreeSsl {
    void operator()(SSL* ssl) const {
      SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);  // Else its session could not be continued.
      SSL_free(ssl);
    }
  };

  using Handle = std::unique_ptr<SSL, FreeSsl>;

  /// Use the functions above.
  Stream(uv::Loop& loop, Context& context, Handle ssl, std::unique_ptr<uv::ByteStream> below,
         std::string peer, TimePoint deadline);

  void Start(uv::StreamHandlers handlers) override;
  void Write(Bytes data) override;
  void Shutdown() override;
  [[nodiscard]] std::size_t write_queue_size() const override;

  [[nodiscard]] State state() const override { return state_; }

  [[nodiscard]] Result<SocketAddress> local_address() const override;
  [[nodiscard]] Result<SocketAddress> remote_address() const override;

  /// What ALPN agreed on; empty if nothing.
  [[nodiscard]] std::string_view protocol() const;

  /// "tls-exporter" of RFC 9266: the same at both ends of this connection, and of no other. Nothing
  /// before the handshake is done, and for TLS 1.2 without extended master secrets.
  [[nodiscard]] std::optional<std::array<std::uint8_t, 32>> channel_binding() const;

  /// True if the handshake was the short one of a session that is continued.
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

 private:
  static int OnSession(SSL* ssl, SSL_SESSION* session);

  void HandleBytes(Bytes bytes);
  /// Goes on with the handshake. False if this object is no more, or closed.
  bool Handshake();
  bool HandleOpen();
  void ReadPlain();
  /// Gives the stream below what OpenSSL has to send.
  void FlushBelow();
  void HandleEnd();
  void Close(uv::CloseReason reason, Error error);
  [[nodiscard]] std::string Complaint() const;

  Context& context_;
  Handle ssl_;
  std::unique_ptr<uv::ByteStream> below_;
  std::string peer_;  // The server's name; of a client that connected to us, its address.
  State state_ = State::kConnecting;
  bool shut_down_ = false;
  bool remote_ended_ = false;
  std::vector<std::uint8_t> pending_;  // Written before the handshake was done.
  uv::StreamHandlers handlers_;
  uv::Timer deadline_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace floe::tls
