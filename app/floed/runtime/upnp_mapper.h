// Keeps a port mapped by UPnP, on a thread of libuv's pool, for its requests block.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "app/floed/runtime/igd.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"

namespace floe::daemon {

/// For one router at a time. A mapping is looked at every minute, added again when it has gone, and
/// renewed before its lease ends.
class UpnpMapper {
 public:
  using OnChange =
      std::function<void(const SocketAddress& internal, std::optional<SocketAddress> external)>;

  /// The loop must outlive it.
  UpnpMapper(uv::Loop& loop, OnChange on_change);
  ~UpnpMapper();

  UpnpMapper(const UpnpMapper&) = delete;
  UpnpMapper& operator=(const UpnpMapper&) = delete;

  /// Looks for this router. Does nothing for one that is looked after already, or for IPv6.
  void Start(const ice::portmap::Gateway& gateway);

  /// Deletes the mapping, and waits until that is done: some seconds if the router has gone.
  void Stop();

 private:
  struct Job;

  void Begin();
  void Finish(const Job& job);

  uv::Loop& loop_;
  OnChange on_change_;
  uv::Timer timer_;
  std::optional<ice::portmap::Gateway> gateway_;
  std::optional<Igd> igd_;
  std::optional<SocketAddress> external_;  // While mapped.
  std::uint16_t port_ = 0;                 // The external one that was had last.
  bool had_one_ = false;                   // So this router is worth asking more often.
  TimePoint renew_;
  Job* job_ = nullptr;  // Owned by libuv until it calls back.
};

}  // namespace floe::daemon
