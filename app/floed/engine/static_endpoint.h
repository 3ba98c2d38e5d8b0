// Where a plain WireGuard device is: as the user says, and as what it sends says better.
//
// Source: the WireGuard paper section 2.1 (endpoints and roaming). That names have several
// addresses, and are looked up again, is ours.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"
#include "tunnel/types.h"

namespace floe::engine {

class StaticEndpoint {
 public:
  static constexpr std::size_t kMaxAddresses = 8;  // of one name
  // A name is looked up at most this often; each time in vain, half as often.
  static constexpr Duration kShortestGap = std::chrono::seconds(5);
  static constexpr Duration kLongestGap = std::chrono::seconds(60);

  /// What the name stands for, the preferred one first; none if it could not be looked up, and then
  /// what was known stays. True if datagrams go elsewhere from here on.
  bool SetAddresses(TimePoint now, std::vector<SocketAddress> addresses);

  /// The device has proven to be there.
  void HandleReceived(const SocketAddress& local, const SocketAddress& remote);

  /// An initiation is about to be sent. If nothing has come since the last one, it goes to another
  /// address, and the name is worth looking up.
  void HandleInitiation(TimePoint now);

  /// Our addresses may be others, and so may what a name stands for.
  void HandleNetworkChange(TimePoint now);

  void HandleTimeout(TimePoint now);

  /// When a name that had no address is looked up again.
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return retry_at_; }

  /// Once for each time that the name is to be looked up. The answer is SetAddresses().
  [[nodiscard]] bool PollResolve();

  /// Where datagrams go. Port 0 of the local address: whichever of ours fits.
  [[nodiscard]] const std::optional<tunnel::Way>& way() const { return way_; }

  /// Whether there is an address to which no initiation has gone since the device was last heard.
  [[nodiscard]] bool has_untried() const { return unanswered_ < choice_count(); }

 private:
  /// Where it was last heard, if anywhere, and then its addresses.
  [[nodiscard]] std::size_t choice_count() const { return addresses_.size() + (heard_ ? 1U : 0U); }

  void Choose(std::size_t choice);
  void WantResolve(TimePoint now);

  std::vector<SocketAddress> addresses_;
  std::optional<tunnel::Way> heard_;
  std::optional<tunnel::Way> way_;
  std::size_t choice_ = 0;      // That way_ is. Means nothing while there is none.
  std::size_t unanswered_ = 0;  // Initiations sent since the device was last heard.

  bool resolve_ = false;
  std::optional<TimePoint> next_resolve_;  // No sooner.
  Duration gap_ = kShortestGap;
  std::optional<TimePoint> retry_at_;
};

}  // namespace floe::engine
