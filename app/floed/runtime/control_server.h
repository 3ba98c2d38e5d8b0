// The daemon's end of the control socket.
//
// Source: app/control/request.h and reply.h (the protocol), unix(7) (SO_PEERCRED).

#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "app/control/reply.h"
#include "app/control/request.h"
#include "app/floed/engine/engine.h"
#include "base/result.h"
#include "base/uv/listener.h"
#include "base/uv/loop.h"
#include "base/uv/stream.h"
#include "base/uv/timer.h"

namespace floe::daemon {

/// Answers requests one after the other on each connection. Everybody who can open the socket may
/// look; root and the user the daemon runs as may also change things.
class ControlServer {
 public:
  struct Handlers {
    std::function<control::Status()> status;
    /// The reply's via and kind, for the path in use.
    std::function<control::PathStatus(engine::PeerId)> path;
    std::function<std::optional<engine::PeerId>(const std::string&)> find_peer;
    std::function<std::optional<std::uint16_t>(engine::PeerId)> ping;
    std::function<void(engine::PeerId, bool wanted)> set_wanted;
    std::function<std::vector<engine::PeerId>()> peers;  // All of them.
    std::function<control::Reply()> reload;
  };

  /// The loop must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> Listen(uv::Loop& loop,
                                                                     const std::string& path);

  explicit ControlServer(uv::Loop& loop);
  ~ControlServer();

  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Requests that came before wait until now.
  void Start(Handlers handlers);

  void HandlePong(const engine::Pong& pong);

 private:
  class Session;

  void Accept(std::unique_ptr<uv::Stream> stream);
  void Remove(Session* session);

  uv::Loop& loop_;
  Handlers handlers_;
  bool started_ = false;
  std::unique_ptr<uv::Listener> listener_;
  std::list<std::unique_ptr<Session>> sessions_;
};

}  // namespace floe::daemon
