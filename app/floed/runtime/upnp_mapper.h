// Keeps a port mapped by UPnP, on a thread of its own, for its requests block.

#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/socket_address.h"
#include "base/time.h"
#include "base/uv/async.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"
#include "ice/portmap/mapper.h"

namespace floe::daemon {

/// For one socket of ours and the router before it: a forwarded port for IPv4, a pinhole for IPv6.
/// It is looked at every minute, added again when it has gone, and renewed before its lease ends.
///
/// Nobody ever waits for the thread: it may be listening for routers, for seconds. Only a request
/// under way that leaves something at the router is waited for, and no longer than a second.
class UpnpMapper {
 public:
  /// With the gateway's own address where only packets are let in, and with nothing when what was
  /// had is gone.
  using OnChange = std::function<void(std::optional<SocketAddress> external)>;

  /// The loop must outlive it. Looks for the router at once.
  UpnpMapper(uv::Loop& loop, const ice::portmap::Gateway& gateway, OnChange on_change);
  ~UpnpMapper();

  UpnpMapper(const UpnpMapper&) = delete;
  UpnpMapper& operator=(const UpnpMapper&) = delete;

  [[nodiscard]] const ice::portmap::Gateway& gateway() const { return gateway_; }

  /// Gives back what it has. Nothing is asked for after this.
  void Stop();

 private:
  struct Lease;
  struct Job;

  void Begin();
  void Finish();
  /// Whatever the thread still finds is of no use.
  void Abandon();

  ice::portmap::Gateway gateway_;
  OnChange on_change_;
  uv::Timer timer_;
  uv::Async wake_;
  std::unique_ptr<Lease> lease_;
  TimePoint renew_;
  bool had_one_ = false;      // So this router is worth asking more often.
  std::shared_ptr<Job> job_;  // Shared with the thread. Null while there is none.
};

}  // namespace floe::daemon
