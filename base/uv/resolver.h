// Turns a host name into addresses without waiting for the answer.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "base/uv/loop.h"

namespace floe::uv {

/// One lookup at a time, by getaddrinfo() on a thread of libuv's pool. That has four, so names that
/// do not resolve can hold up others: parse what may be an address with ParseIpAddress() first.
class Resolver {
 public:
  /// Never empty when it is a value. The order is the system's order of preference (RFC 6724).
  using OnResolved = std::function<void(Result<std::vector<SocketAddress>>)>;

  /// The loop must outlive it.
  explicit Resolver(Loop& loop);
  /// Cancels.
  ~Resolver();

  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Looks `host` up and calls back once, from the loop, with its addresses and `port`. Replaces a
  /// lookup that is under way. The callback may start the next one, or destroy the resolver.
  [[nodiscard]] Result<void> Start(const std::string& host, std::uint16_t port,
                                   OnResolved on_resolved);

  /// The callback will not come. The thread may still be busy, which the loop's destructor waits
  /// for.
  void Cancel();

 private:
  struct Request;

  Loop& loop_;
  Request* request_ = nullptr;  // Owned by libuv until it calls back.
};

}  // namespace floe::uv
