// The part of Link that measures how large a packet the path carries.
//
// Source: RFC 8899.

#include <algorithm>

#include "app/floed/engine/link.h"
#include "tunnel/constants.h"
#include "tunnel/transport.h"

namespace floe::engine {
namespace {

// Inner bytes. With what goes around them over IPv6 and a relay (40 + 8 + 4 + 32), 1184 make 1268:
// all that carries IPv6 carries that. 496 make 560 over IPv4, whose hosts all take 576.
constexpr std::size_t kBaseRoom = 1184;
constexpr std::size_t kLeastRoom = 496;

static_assert(tunnel::SealedSize(kBaseRoom) % ice::PathMtu::kStep == 0);
static_assert(tunnel::SealedSize(kLeastRoom) % ice::PathMtu::kStep == 0);
static_assert(tunnel::SealedSize(tunnel::kDefaultRoom) % ice::PathMtu::kStep == 0);

}  // namespace

// The first packets are as large as nearly every path takes, and go without DF: where they do not
// fit after all, the network cuts them for the second that it takes to find out. Beginning with the
// base instead would tell the kernel a small MTU on every change of path, which it keeps for ten
// minutes.
void Link::MeasurePath(TimePoint now) {
  if (!path_ || path_->local.transport == Transport::kTcp) {
    path_mtu_.Stop();  // A stream takes any size.
    return;
  }
  const auto sealed = [this](std::size_t room) {
    return static_cast<ice::PathMtu::Size>(
        tunnel::SealedSize(std::min<std::size_t>(room, config_.mtu)));
  };
  const ice::Pair* pair = selected();
  path_mtu_.Begin(now,
                  {.least = sealed(kLeastRoom),
                   .base = sealed(kBaseRoom),
                   .start = sealed(tunnel::kDefaultRoom),
                   .most = sealed(config_.mtu)},
                  pair != nullptr ? pair->rtt : Duration{0});
}

void Link::DrainPathMtu(TimePoint now) {
  ice::Agent* const agent = current_ && current_->path() ? current_.get() : previous_.get();
  while (const auto size = path_mtu_.PollProbe()) {
    if (agent == nullptr) {
      continue;
    }
    agent->ProbeSize(now, *size);
    while (auto transmit = agent->PollTransmit()) {
      transmits_.Push(std::move(*transmit));
    }
  }
}

void Link::HandleTooBig(TimePoint now, std::size_t fits) {
  path_mtu_.HandleTooBig(now, fits);
  DrainPathMtu(now);
}

std::uint16_t Link::room() const {
  std::size_t room = path_ ? config_.mtu : tunnel::kDefaultRoom;
  if (path_mtu_.state() != ice::PathMtu::State::kOff) {
    room = path_mtu_.size() - tunnel::SealedSize(0);
  }
  return static_cast<std::uint16_t>(std::min<std::size_t>(config_.mtu, room));
}

}  // namespace floe::engine
