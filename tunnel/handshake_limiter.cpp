#include "tunnel/handshake_limiter.h"

#include <algorithm>

namespace floe::tunnel {
namespace {

// As in the Linux implementation, so that a flood does not find every second message welcome.
constexpr Duration kLoadLasts = std::chrono::seconds(1);

// Twice what the default rates can fill with sources that still count.
constexpr std::size_t kMaxSources = 4096;

/// Who can send from one IPv6 address can send from all of its network.
IpAddress SourceOf(const SocketAddress& address) {
  IpAddress ip = address.ip.Unmapped();
  if (ip.is_v6()) {
    std::fill(ip.bytes.begin() + 8, ip.bytes.end(), std::uint8_t{0});
  }
  return ip;
}

}  // namespace

bool HandshakeLimiter::NeedsCookie(TimePoint now) {
  if (!unproven_.TryPass(now, limits_.unproven)) {
    loaded_until_ = now + kLoadLasts;
  }
  if (now < loaded_until_) {
    return true;
  }
  sources_.clear();
  return false;
}

bool HandshakeLimiter::MayReply(TimePoint now) {
  return replies_.TryPass(now, limits_.replies);
}

bool HandshakeLimiter::Admit(TimePoint now, const SocketAddress& source) {
  if (!proven_.IsOpen(now, limits_.proven)) {
    return false;
  }
  if (sources_.size() >= kMaxSources) {
    std::erase_if(sources_, [now](const auto& entry) { return entry.second.IsFull(now); });
    if (sources_.size() >= kMaxSources) {
      return false;
    }
  }
  RateGate& gate = sources_[SourceOf(source)];
  if (!gate.TryPass(now, limits_.per_source)) {
    return false;
  }
  proven_.Pass(now, limits_.proven);
  return true;
}

}  // namespace floe::tunnel
