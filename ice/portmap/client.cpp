#include "ice/portmap/client.h"

#include <algorithm>
#include <array>

namespace floe::ice::portmap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A request is repeated after these. RFC 6886 section 3.1 begins with 250 ms and doubles; it goes
// on for two minutes, but a router that is silent this long has nothing to say and others are
// waiting.
constexpr std::array<Duration, 3> kGaps{milliseconds(250), milliseconds(500), milliseconds(1000)};
constexpr std::uint32_t kLifetime = 7200;        // seconds, RFC 6886 section 3.3
constexpr Duration kShortestLife = seconds(60);  // What is granted less is asked for no more often.
constexpr Duration kLongestLife = seconds(86'400);
constexpr Duration kPollInterval = seconds(60);
constexpr Duration kRest = seconds(600);       // After a round without an answer.
constexpr Duration kShortRest = seconds(30);   // The same if the network changes meanwhile.
constexpr Duration kShortestGap = seconds(4);  // RFC 6887 section 11.2.1: between renewals.

std::int64_t Seconds(Duration duration) {
  return std::chrono::duration_cast<seconds>(duration).count();
}

}  // namespace

Client::Client(TimePoint now, const ClientConfig& config)
    : config_(config), suggested_{IpAddress{.family = config.internal.ip.family}, 0} {
  protocol_ = config_.pcp ? Protocol::kPcp : Protocol::kNatPmp;
  config_.nat_pmp = config_.nat_pmp && config_.internal.ip.is_v4();
  if (!config_.pcp && !config_.nat_pmp) {
    GiveUp(now);
    return;
  }
  Start(now, Phase::kAsking);
}

void Client::Start(TimePoint now, Phase phase) {
  phase_ = phase;
  sends_ = 0;
  if (phase == Phase::kAsking) {
    asked_ = now;
  }
  Send(now);
}

void Client::Send(TimePoint now) {
  if (phase_ == Phase::kPolling) {
    transmits_.push_back(protocol_ == Protocol::kPcp ? MakePcpAnnounce(config_.internal.ip)
                                                     : MakeNatPmpAddressRequest());
  } else {
    if (protocol_ == Protocol::kNatPmp) {
      transmits_.push_back(MakeNatPmpAddressRequest());
    }
    SendMap(kLifetime);
  }
  wake_ = now + kGaps.at(sends_++);
}

void Client::SendMap(std::uint32_t lifetime) {
  if (protocol_ == Protocol::kPcp) {
    transmits_.push_back(MakePcpMap({.internal = config_.internal,
                                     .suggested = lifetime == 0 ? SocketAddress{} : suggested_,
                                     .nonce = config_.nonce,
                                     .lifetime = lifetime}));
    return;
  }
  const std::uint16_t wanted = suggested_.port != 0 ? suggested_.port : config_.internal.port;
  transmits_.push_back(
      MakeNatPmpMap(config_.internal.port, lifetime == 0 ? std::uint16_t{0} : wanted, lifetime));
}

void Client::HandleTimeout(TimePoint now) {
  if (!wake_ || *wake_ > now) {
    return;
  }
  if (mapped_ && expires_ <= now) {
    Lose();
    protocol_ = config_.pcp ? Protocol::kPcp : Protocol::kNatPmp;
    Start(now, Phase::kAsking);
    return;
  }
  switch (phase_) {
    case Phase::kAsking:
      sends_ < kGaps.size() ? Send(now) : TryNext(now);
      return;
    case Phase::kPolling:
      if (sends_ < kGaps.size()) {
        Send(now);
        return;
      }
      poll_ = now + kPollInterval / 6;  // Restarting, perhaps.
      Settle(now);
      return;
    case Phase::kRenewing:
      if (sends_ < kGaps.size()) {
        Send(now);
        return;
      }
      renew_ = now + std::max<Duration>((expires_ - now) / 2, kShortestGap);
      Settle(now);
      return;
    case Phase::kMapped:
      Start(now, renew_ <= now ? Phase::kRenewing : Phase::kPolling);
      return;
    case Phase::kResting:
      protocol_ = config_.pcp ? Protocol::kPcp : Protocol::kNatPmp;
      Start(now, Phase::kAsking);
      return;
    case Phase::kClosed:
      return;
  }
}

void Client::Settle(TimePoint now) {
  phase_ = Phase::kMapped;
  wake_ = std::max(now, std::min({renew_, poll_, expires_}));
}

/// What was asked of the router is not to be had by this protocol.
void Client::TryNext(TimePoint now) {
  if (protocol_ == Protocol::kPcp && config_.nat_pmp) {
    protocol_ = Protocol::kNatPmp;
    epoch_.reset();
    Start(now, Phase::kAsking);
    return;
  }
  GiveUp(now);
}

void Client::GiveUp(TimePoint now) {
  phase_ = Phase::kResting;
  wake_.reset();
  if (config_.pcp || config_.nat_pmp) {
    wake_ = now + kRest;
  }
  events_.emplace_back(Silent{});
}

void Client::Lose() {
  if (mapped_) {
    mapped_.reset();
    events_.emplace_back(Unmapped{});
  }
  address_.reset();
  port_.reset();
}

bool Client::HandleDatagram(TimePoint now, Bytes datagram) {
  const auto response = ParseResponse(datagram);
  if (!response || phase_ == Phase::kResting || phase_ == Phase::kClosed) {
    return response.has_value();
  }
  const bool asked_pcp = protocol_ == Protocol::kPcp;
  switch (response->kind) {
    case ResponseKind::kVersionError:
      if (phase_ == Phase::kAsking) {
        TryNext(now);
      }
      return true;
    case ResponseKind::kPcpMap:
      // Without the nonce it may be anybody's, and an error may be about another's mapping too.
      if (asked_pcp && response->nonce == config_.nonce) {
        HandleMap(now, *response);
      }
      return true;
    case ResponseKind::kPcpAnnounce:
      if (!asked_pcp) {
        return true;
      }
      break;
    case ResponseKind::kNatPmpMap:
      if (!asked_pcp) {
        HandleMap(now, *response);
      }
      return true;
    case ResponseKind::kNatPmpAddress:
      if (asked_pcp) {
        return true;
      }
      HandleAddress(now, *response);
      break;
  }
  if (!mapped_ || response->result != 0) {
    return true;
  }
  if (!KeptItsState(now, response->epoch)) {
    Start(now, Phase::kRenewing);
  } else if (phase_ == Phase::kPolling) {
    poll_ = now + kPollInterval;
    Settle(now);
  }
  return true;
}

void Client::HandleAddress(TimePoint now, const Response& response) {
  if (response.result != 0 || response.external.ip.is_unspecified()) {
    if (phase_ == Phase::kAsking) {
      TryNext(now);
    }
    return;
  }
  address_ = response.external.ip;
  if (mapped_ && mapped_->external.ip != *address_) {  // The line has another address.
    MakeMapped(now);
  } else if (phase_ == Phase::kAsking && port_) {
    MakeMapped(now);
    Settle(now);
  }
}

void Client::HandleMap(TimePoint now, const Response& response) {
  const bool usable = response.result == 0 && response.lifetime != 0 &&
                      response.external.port != 0 &&
                      (protocol_ == Protocol::kNatPmp || !response.external.ip.is_unspecified());
  if (response.result == 0 && response.internal_port != config_.internal.port) {
    return;  // About another mapping.
  }
  if (!usable) {
    // A refused renewal leaves what was granted before; only what is new was refused.
    if (phase_ == Phase::kAsking) {
      TryNext(now);
    } else if (phase_ == Phase::kRenewing) {
      Lose();
      TryNext(now);
    }
    return;
  }
  static_cast<void>(KeptItsState(now, response.epoch));
  const Duration life =
      std::clamp<Duration>(seconds(response.lifetime), kShortestLife, kLongestLife);
  expires_ = now + life;
  renew_ = now + life / 2;  // RFC 6887 section 11.2.1
  poll_ = now + kPollInterval;
  port_ = response.external.port;
  if (protocol_ == Protocol::kPcp) {
    address_ = response.external.ip;
  }
  if (!address_) {
    return;  // The other half is under way.
  }
  MakeMapped(now);
  Settle(now);
}

void Client::MakeMapped(TimePoint /*now*/) {
  const SocketAddress external{*address_, *port_};
  suggested_ = external;
  if (!mapped_ || mapped_->external != external) {
    mapped_ = Mapped{external, protocol_};
    events_.emplace_back(*mapped_);
  }
}

/// RFC 6887 section 8.5, which RFC 6886 section 3.6 is less strict than: the server's clock and
/// ours have to have moved by about the same since its last answer.
bool Client::KeptItsState(TimePoint now, std::uint32_t epoch) {
  const auto before = epoch_;
  epoch_ = Epoch{epoch, now};
  if (!before) {
    return true;
  }
  const std::int64_t ours = Seconds(now - before->client);
  const std::int64_t theirs = std::int64_t{epoch} - std::int64_t{before->server};
  return theirs >= -1 && ours + 2 >= theirs - theirs / 16 && theirs + 2 >= ours - ours / 16;
}

void Client::CheckNow(TimePoint now) {
  const TimePoint soonest = poll_ - kPollInterval + kShortestGap;
  if (phase_ == Phase::kMapped || phase_ == Phase::kPolling) {
    // Not only a question: a router that had been up for as short a time when it last answered has
    // lost its state and tells no suspicious epoch.
    if (soonest <= now) {
      Start(now, Phase::kRenewing);
      return;
    }
    renew_ = std::min(renew_, soonest);
    if (phase_ == Phase::kMapped) {
      Settle(now);
    }
  } else if (phase_ == Phase::kResting && wake_) {
    wake_ = std::min(*wake_, std::max(now, asked_ + kShortRest));
  }
}

void Client::Close(TimePoint /*now*/) {
  if (phase_ != Phase::kResting && phase_ != Phase::kClosed) {
    SendMap(0);  // Also while asking: the answer may be on its way.
    SendMap(0);  // Nobody will repeat it if it is lost.
  }
  phase_ = Phase::kClosed;
  wake_.reset();
  Lose();
}

std::optional<std::vector<std::uint8_t>> Client::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  auto bytes = std::move(transmits_.front());
  transmits_.pop_front();
  return bytes;
}

std::optional<Event> Client::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  Event event = events_.front();
  events_.pop_front();
  return event;
}

}  // namespace floe::ice::portmap
