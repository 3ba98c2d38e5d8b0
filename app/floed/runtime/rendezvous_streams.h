// The connections to the rendezvous servers, as the engine asks for them.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/floed/engine/engine.h"
#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"
#include "base/uv/resolver.h"
#include "base/uv/stream.h"

namespace floe::daemon {

/// Looks the name up, then tries its addresses one after the other.
class RendezvousStreams {
 public:
  struct Handlers {
    std::function<void(engine::StreamId)> on_open;
    std::function<void(engine::StreamId, Bytes)> on_bytes;
    std::function<void(engine::StreamId, std::string_view reason)> on_close;
  };

  /// The loop must outlive it.
  RendezvousStreams(uv::Loop& loop, std::uint32_t fwmark, Handlers handlers);

  void Open(const engine::OpenStream& action);
  void Write(const engine::WriteStream& action);
  void Close(const engine::CloseStream& action);

 private:
  struct Connection {
    std::unique_ptr<uv::Resolver> resolver;
    std::unique_ptr<uv::Stream> stream;
    std::vector<SocketAddress> addresses;  // Still to be tried, the next one last.
  };

  void TryNext(engine::StreamId id, std::string reason);
  void Fail(engine::StreamId id, std::string reason);

  uv::Loop& loop_;
  std::uint32_t fwmark_;
  Handlers handlers_;
  std::map<engine::StreamId, Connection> connections_;
};

}  // namespace floe::daemon
