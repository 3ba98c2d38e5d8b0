// Notices that the network of this machine has changed.
//
// Source: rtnetlink(7), netlink(7).

#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace floe::tun {

/// Hears of interfaces, addresses and routes that come, go or change. Tells that something did, not
/// what: whoever cares asks ListAddresses(), which cannot be out of step. One change makes several
/// messages over a few milliseconds, so wait a moment before asking.
class InterfaceMonitor {
 public:
  /// Needs no permission.
  [[nodiscard]] static Result<InterfaceMonitor> Open();

  /// For polling. The monitor still owns it.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Takes what has been heard since the last call and returns whether it was a change. A loss of
  /// messages counts as one. Never blocks, and leaves the rest of a flood for the next call.
  [[nodiscard]] bool Drain();

 private:
  explicit InterfaceMonitor(UniqueFd fd);

  UniqueFd fd_;
};

}  // namespace floe::tun
