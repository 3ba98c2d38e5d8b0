#include "app/floed/engine/predictor.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ice/stun/attributes.h"
#include "ice/stun/integrity.h"

namespace floe::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = seconds(30);              // Of who is ready, for the peer's answer.
constexpr Duration kSocketPatience = seconds(5);         // For sockets.
constexpr Duration kAnswerPatience = milliseconds(500);  // For what the server sees.
constexpr Duration kOpenFor = seconds(15);               // More than a whole search takes.
constexpr Duration kLinger = seconds(2);                 // For the answers to the last probes.

bool IsFor(const ice::Agent* agent, std::uint32_t session) {
  return agent != nullptr && agent->transaction_tag() == session;
}

/// RFC 8445 section 7.3, as the agent does it.
bool IsAuthentic(const ice::Agent& agent, const ice::stun::MessageView& message) {
  const auto username = ice::stun::FindText(message, ice::stun::AttributeType::kUsername);
  return message.message_class() == ice::stun::Class::kRequest && username &&
         username->starts_with(agent.local_credentials().ufrag + ':') &&
         ice::stun::VerifyIntegrity(message, AsBytes(agent.local_credentials().password)) &&
         ice::stun::VerifyFingerprint(message);
}

}  // namespace

void Predictor::Update(TimePoint now, const View& view) {
  if (phase_ != Phase::kIdle && (!IsFor(view.agent, session_) || !view.relayed || !view.agreed)) {
    // The way found may be another than was looked for: a check of the agents' own that met an open
    // port, or a probe that met the port of our usual socket.
    if (IsFor(view.agent, session_) && view.agent->path() && !view.relayed) {
      ++counters_.found;
    }
    End();
  }
  if (adopted_ && !IsFor(view.agent, adopted_->session) &&
      !IsFor(view.previous, adopted_->session)) {
    wishes_.Push(SocketsDone{{adopted_->socket}});
    adopted_.reset();
  }
  if (!view.relayed || !view.agreed) {
    next_try_.reset();
  } else if (!next_try_) {
    next_try_ = now + kRelayedFor;
  }
}

/// The address of ours that the internet sees, if peers may be told of it.
std::optional<ice::Candidate> Predictor::Outside() const {
  const ice::CandidateType type = gatherer_.nat() == ice::NatKind::kNone
                                      ? ice::CandidateType::kHost
                                      : ice::CandidateType::kServerReflexive;
  const ice::Candidate* best = nullptr;
  for (const ice::Candidate& candidate : gatherer_.candidates()) {
    const bool usable = candidate.type == type && candidate.address.ip.is_v4() &&
                        candidate.address.transport == Transport::kUdp;
    if (usable && (best == nullptr || candidate.priority > best->priority)) {
      best = &candidate;
    }
  }
  return best != nullptr && gatherer_.Tell(*best) ? std::optional(*best) : std::nullopt;
}

ice::PortPredictionConfig Predictor::ConfigOf(const ice::Agent& agent) {
  return {.local = agent.local_credentials(),
          .remote = agent.remote_credentials().value_or(ice::Credentials{}),
          .role = agent.role(),
          .tie_breaker = agent.tie_breaker()};
}

bool Predictor::TakeAttempt(TimePoint now) {
  std::erase_if(attempts_, [&](TimePoint when) { return now - when >= kWindow; });
  if (attempts_.size() >= kMaxAttempts) {
    return false;
  }
  attempts_.push_back(now);
  ++counters_.attempts;
  return true;
}

void Predictor::GetReady(TimePoint now, const View& view) {
  const ice::NatKind nat = gatherer_.nat();
  const auto outside = Outside();
  const bool easy = nat == ice::NatKind::kEasy || nat == ice::NatKind::kNone;
  if (!easy || !outside || !TakeAttempt(now)) {
    return;
  }
  phase_ = Phase::kReady;
  session_ = view.agent->transaction_tag();
  base_ = outside->base;
  deadline_ = now + kPatience;
  messages_.Push({kReadyOption, {outside->address}});
}

void Predictor::HandleMessage(TimePoint now, const View& view, std::string_view option,
                              const std::vector<SocketAddress>& addresses) {
  if (!view.agreed || !view.relayed || addresses.empty()) {
    return;
  }
  if (option == kOpenOption && phase_ == Phase::kReady && IsFor(view.agent, session_)) {
    phase_ = Phase::kSearching;
    deadline_.reset();
    prediction_ =
        ice::PortPrediction::Search(now, ConfigOf(*view.agent), base_, addresses, random_);
    log::Debug("port prediction: searching at {}", ToString(addresses.front().ip));
    return;
  }
  const auto outside = Outside();
  if (option != kReadyOption || phase_ != Phase::kIdle || !outside ||
      gatherer_.nat() != ice::NatKind::kHard || !TakeAttempt(now)) {
    return;
  }
  if (adopted_) {  // It has come to nothing.
    wishes_.Push(SocketsDone{{adopted_->socket}});
    adopted_.reset();
  }
  phase_ = Phase::kWanting;
  session_ = view.agent->transaction_tag();
  base_ = outside->base;
  outside_ = outside->address;
  target_ = addresses.front();
  deadline_ = now + kSocketPatience;
  wishes_.Push(SocketsWanted{base_.ip, ice::PortPrediction::kMaxSockets});
}

void Predictor::SetSockets(TimePoint now, const View& view, std::vector<SocketAddress> sockets) {
  sockets_.insert(sockets_.end(), sockets.begin(), sockets.end());
  if (phase_ != Phase::kWanting || sockets_.empty() || !IsFor(view.agent, session_)) {
    End();
    return;
  }
  phase_ = Phase::kOpening;
  deadline_.reset();
  prediction_ = ice::PortPrediction::Open(now, ConfigOf(*view.agent), sockets_, target_,
                                          gatherer_.ServerOf(base_), random_);
  log::Debug("port prediction: opening {} ports", sockets_.size());
}

Predictor::Verdict Predictor::HandleStun(const View& view, const SocketAddress& local,
                                         const SocketAddress& remote,
                                         const ice::stun::MessageView& message) {
  const auto socket = std::ranges::find(sockets_, local);
  if (socket == sockets_.end()) {
    return Verdict::kNotMine;
  }
  if (prediction_ && prediction_->HandleResponse(local, remote, message)) {
    return Verdict::kConsumed;
  }
  if (!IsFor(view.agent, session_) || !IsAuthentic(*view.agent, message)) {
    return Verdict::kConsumed;
  }
  sockets_.erase(socket);
  adopted_ = Adopted{.socket = local, .session = session_};
  ++counters_.found;
  log::Debug("port prediction: a check of the peer has come to {}", ToString(local));
  End();
  return Verdict::kAdopt;
}

void Predictor::HandleTimeout(TimePoint now, const View& view) {
  if (next_try_ && now >= *next_try_) {
    next_try_ = now + kRest;
    if (phase_ == Phase::kIdle && view.relayed && view.agreed) {
      GetReady(now, view);
    }
  }
  if (prediction_) {
    prediction_->HandleTimeout(now);
    Drain();
    if (!prediction_->NextTimeout() && !deadline_) {
      deadline_ = now + (phase_ == Phase::kSearching ? kLinger : kAnswerPatience);
    }
  }
  if (deadline_ && now >= *deadline_) {
    phase_ == Phase::kOpening ? SayOpen(now) : End();
  }
}

void Predictor::SayOpen(TimePoint now) {
  std::vector<SocketAddress> seen = prediction_->seen();
  if (seen.empty()) {
    seen.push_back(outside_);  // No better is known than the address.
  }
  messages_.Push({kOpenOption, std::move(seen)});
  phase_ = Phase::kOpen;
  deadline_ = now + kOpenFor;
}

void Predictor::End() {
  phase_ = Phase::kIdle;
  deadline_.reset();
  prediction_.reset();
  CloseSockets();
}

void Predictor::CloseSockets() {
  if (!sockets_.empty()) {
    wishes_.Push(SocketsDone{std::exchange(sockets_, {})});
  }
}

void Predictor::Drain() {
  while (auto transmit = prediction_->PollTransmit()) {
    ++counters_.probes;
    transmits_.Push(std::move(*transmit));
  }
}

std::optional<PredictorMessage> Predictor::PollMessage() {
  return messages_.Poll();
}

std::optional<ice::Transmit> Predictor::PollTransmit() {
  return transmits_.Poll();
}

std::optional<SocketWish> Predictor::PollSocketWish() {
  return wishes_.Poll();
}

std::optional<TimePoint> Predictor::NextTimeout() const {
  std::optional<TimePoint> next = next_try_;
  for (const auto& time :
       {deadline_, prediction_ ? prediction_->NextTimeout() : std::optional<TimePoint>()}) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  }
  return next;
}

}  // namespace floe::engine
