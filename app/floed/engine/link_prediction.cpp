// The part of Link that joins port prediction to the session.

#include <algorithm>
#include <utility>

#include "app/floed/engine/link.h"

namespace floe::engine {

Predictor::View Link::PredictionView() const {
  const bool relayed =
      wanted_ && current_ && current_->path() && !ice::IsDirect(current_->path()->tier());
  return {.agent = current_.get(),
          .previous = previous_.get(),
          .agreed = peer_predicts_ && !negotiation_.offer_outstanding(),
          .relayed = relayed};
}

/// Whether it was for the predictor: a message of candidates that names one of its options. The
/// addresses in it are none of the peer's candidates, so the agent is not told of them.
bool Link::TakePrediction(TimePoint now, const signaling::Message& message) {
  const auto option = std::ranges::find_if(message.options, [](const std::string& text) {
    return text == kReadyOption || text == kOpenOption;
  });
  if (message.kind != signaling::MessageKind::kCandidate || option == message.options.end()) {
    return false;
  }
  std::vector<SocketAddress> addresses;
  for (const std::string& line : message.candidates) {
    const auto candidate = ice::ParseCandidate(line);
    const bool usable = candidate && candidate->name.empty() && !candidate->tcp_type &&
                        candidate->address.ip.is_v4() && !LeadsIntoTunnel(candidate->address.ip);
    if (usable) {
      addresses.push_back(candidate->address);
    }
  }
  if (predictor_) {
    predictor_->HandleMessage(now, PredictionView(), *option, addresses);
  }
  return true;
}

void Link::SetProbeSockets(TimePoint now, std::vector<SocketAddress> sockets) {
  if (predictor_) {
    predictor_->SetSockets(now, PredictionView(), std::move(sockets));
  }
}

bool Link::HandleProbe(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                       const ice::stun::MessageView& message) {
  if (!predictor_) {
    return false;
  }
  switch (predictor_->HandleStun(PredictionView(), local, remote, message)) {
    case Predictor::Verdict::kNotMine:
      return false;
    case Predictor::Verdict::kConsumed:
      return true;
    case Predictor::Verdict::kAdopt:
      break;
  }
  current_->AddLocalCandidate(
      now, {.type = ice::CandidateType::kHost,
            .address = local,
            .base = local,
            .priority = ice::ComputePriority(ice::CandidateType::kHost, 0),
            .foundation = ice::ComputeFoundation(ice::CandidateType::kHost, local.ip, local.ip)});
  HandleStun(now, local, remote, message);
  return true;
}

void Link::DrainPredictor() {
  if (!predictor_) {
    return;
  }
  while (const auto said = predictor_->PollMessage()) {
    signaling::Message message = MakeMessage(signaling::MessageKind::kCandidate);
    message.options = {std::string(said->option)};
    for (const SocketAddress& address : said->addresses) {
      message.candidates.push_back(
          ice::ToLine({.type = ice::CandidateType::kServerReflexive,
                       .address = address,
                       .base = address,
                       .priority = ice::ComputePriority(ice::CandidateType::kServerReflexive, 0),
                       .foundation = ice::ComputeFoundation(ice::CandidateType::kServerReflexive,
                                                            address.ip, address.ip)}));
    }
    messages_.Push(std::move(message));
  }
  while (auto transmit = predictor_->PollTransmit()) {
    transmits_.Push(std::move(*transmit));
  }
}

}  // namespace floe::engine
