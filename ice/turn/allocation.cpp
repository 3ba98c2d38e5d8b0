#include "ice/turn/allocation.h"

namespace floe::ice::turn {

bool Allocation::Permit(TimePoint now, const IpAddress& peer, Duration permission_lifetime,
                        std::size_t max) {
  if (!permissions_.contains(peer) && permissions_.size() >= max) {
    std::erase_if(permissions_, [now](const auto& item) { return item.second <= now; });
    if (permissions_.size() >= max) {
      return false;
    }
  }
  permissions_[peer] = now + permission_lifetime;
  return true;
}

bool Allocation::IsPermitted(TimePoint now, const IpAddress& peer) const {
  const auto permission = permissions_.find(peer);
  return permission != permissions_.end() && now < permission->second;
}

Allocation::BindResult Allocation::Bind(TimePoint now, std::uint16_t number,
                                        const SocketAddress& peer, Duration channel_lifetime,
                                        std::size_t max) {
  std::erase_if(channels_, [&](const auto& item) {
    const bool expired = item.second.expires <= now;
    if (expired) {
      numbers_.erase(item.second.peer);
    }
    return expired;
  });

  const auto known_number = numbers_.find(peer);
  const auto known_peer = channels_.find(number);
  const bool same = known_number != numbers_.end() && known_number->second == number;
  if (!same && (known_number != numbers_.end() || known_peer != channels_.end())) {
    return BindResult::kConflict;
  }
  if (!same && channels_.size() >= max) {
    return BindResult::kFull;
  }
  channels_[number] = {.peer = peer, .expires = now + channel_lifetime};
  numbers_[peer] = number;
  return BindResult::kBound;
}

std::optional<SocketAddress> Allocation::PeerOf(TimePoint now, std::uint16_t number) const {
  const auto channel = channels_.find(number);
  if (channel == channels_.end() || channel->second.expires <= now) {
    return std::nullopt;
  }
  return channel->second.peer;
}

std::optional<std::uint16_t> Allocation::ChannelOf(TimePoint now, const SocketAddress& peer) const {
  const auto number = numbers_.find(peer);
  if (number == numbers_.end() || !PeerOf(now, number->second)) {
    return std::nullopt;
  }
  return number->second;
}

}  // namespace floe::ice::turn
