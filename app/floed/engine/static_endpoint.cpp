#include "app/floed/engine/static_endpoint.h"

#include <algorithm>
#include <utility>

namespace floe::engine {
namespace {

tunnel::Way WayTo(const SocketAddress& remote) {
  return {.local = {{.family = remote.ip.family}, 0}, .remote = remote};
}

}  // namespace

bool StaticEndpoint::SetAddresses(TimePoint now, std::vector<SocketAddress> addresses) {
  addresses.resize(std::min(addresses.size(), kMaxAddresses));
  if (addresses.empty()) {
    if (addresses_.empty()) {
      retry_at_ = std::max(now, next_resolve_.value_or(now));
    }
    return false;
  }
  retry_at_.reset();
  const auto contains = [](const auto& list, const SocketAddress& address) {
    return std::ranges::find(list, address) != list.end();
  };
  // Names that stand for several give them in another order each time.
  const bool same = std::ranges::is_permutation(addresses, addresses_);
  addresses_ = std::move(addresses);
  if (way_ && (same || contains(addresses_, way_->remote))) {
    choice_ = std::min(choice_, choice_count() - 1);
    return false;
  }
  unanswered_ = 0;
  Choose(heard_ ? 1 : 0);
  return true;
}

void StaticEndpoint::HandleReceived(const SocketAddress& local, const SocketAddress& remote) {
  heard_ = {.local = local, .remote = remote};
  way_ = heard_;
  choice_ = 0;
  unanswered_ = 0;
  gap_ = kShortestGap;
}

void StaticEndpoint::HandleInitiation(TimePoint now) {
  if (choice_count() == 0) {
    WantResolve(now);
    return;
  }
  if (unanswered_ > 0) {
    Choose((choice_ + 1) % choice_count());
    WantResolve(now);
  }
  ++unanswered_;
}

void StaticEndpoint::HandleNetworkChange(TimePoint now) {
  // What the device was heard at may be no address of ours any more.
  for (auto* way : {&heard_, &way_}) {
    if (*way) {
      *way = WayTo((*way)->remote);
    }
  }
  WantResolve(now);
}

void StaticEndpoint::HandleTimeout(TimePoint now) {
  if (retry_at_ && *retry_at_ <= now) {
    retry_at_.reset();
    WantResolve(now);
  }
}

bool StaticEndpoint::PollResolve() {
  return std::exchange(resolve_, false);
}

void StaticEndpoint::Choose(std::size_t choice) {
  choice_ = choice;
  if (heard_ && choice == 0) {
    way_ = heard_;
    return;
  }
  way_ = WayTo(addresses_[choice - (heard_ ? 1U : 0U)]);
}

void StaticEndpoint::WantResolve(TimePoint now) {
  if (next_resolve_ && now < *next_resolve_) {
    return;
  }
  resolve_ = true;
  next_resolve_ = now + gap_;
  gap_ = std::min(2 * gap_, kLongestGap);
}

}  // namespace floe::engine
