// The streams to relays that a gatherer asks for: TCP or TLS, through a proxy where the environment
// names one.
//
// Source: RFC 8656 section 3.1, RFC 7443 (the ALPN name "stun.turn").

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/proxy.h"
#include "base/socket_address.h"
#include "base/tls/context.h"
#include "base/uv/byte_stream.h"
#include "base/uv/loop.h"
#include "base/uv/resolver.h"
#include "ice/driver/send_queue.h"
#include "ice/relay_server.h"

namespace floe::ice {

class RelayStreams {
 public:
  /// What to tell the gatherer. on_close may come from within Handle().
  struct Handlers {
    std::function<void(StreamId, const SocketAddress& local)> on_open;
    std::function<void(StreamId, Bytes)> on_bytes;
    std::function<void(StreamId, std::string_view reason)> on_close;
  };

  /// `fwmark` as for uv::Stream::ConnectTcp(). The loop must outlive it.
  RelayStreams(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers);
  ~RelayStreams();

  RelayStreams(const RelayStreams&) = delete;
  RelayStreams& operator=(const RelayStreams&) = delete;

  void Handle(StreamAction action);

 private:
  struct Connection;

  void Open(const OpenStream& action);
  void Connect(const OpenStream& action, const SocketAddress& address, const Proxy* proxy);
  /// The stream to the server, on one that leads to it or to the proxy.
  [[nodiscard]] Result<std::unique_ptr<uv::ByteStream>> Layer(const OpenStream& action,
                                                              std::unique_ptr<uv::ByteStream> below,
                                                              const Proxy* proxy,
                                                              TimePoint deadline);
  void Write(WriteStream action);
  void Close(const CloseStream& action);
  /// Writes what waits, as much as the stream takes.
  void Pump(StreamId id);
  void Fail(StreamId id, const Error& error);

  uv::Loop& loop_;
  std::uint32_t fwmark_;
  Handlers handlers_;
  std::unique_ptr<tls::Context> tls_;  // Once it is needed.
  std::map<StreamId, std::unique_ptr<Connection>> connections_;
};

}  // namespace floe::ice
