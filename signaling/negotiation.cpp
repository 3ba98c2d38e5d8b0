#include "signaling/negotiation.h"

#include <algorithm>
#include <limits>

namespace floe::signaling {

Negotiation::Negotiation(const PublicKey& self, const PublicKey& peer) : wins_(self < peer) {}

std::uint64_t Negotiation::StartOffer(std::uint64_t unix_ms) {
  newest_session_ = std::max(newest_session_ + 1, unix_ms);
  overtaken_ = outstanding_;
  outstanding_ = Epoch{.session = newest_session_, .generation = 0};
  return newest_session_;
}

std::optional<std::uint32_t> Negotiation::StartRestart() {
  if (session() == 0 || newest_generation_ == std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  ++newest_generation_;
  const Epoch next{.session = session(), .generation = newest_generation_};
  overtaken_ = outstanding_;
  outstanding_ = next;
  return newest_generation_;
}

void Negotiation::WithdrawOffer() {
  // An earlier offer may have arrived all the same. Until it is answered or replaced, to accept
  // another could leave each side with an offer of its own.
  outstanding_ = overtaken_;
  overtaken_.reset();
}

Negotiation::Verdict Negotiation::Judge(const Message& message) {
  if (message.session == 0 || message.session > kMaxSession) {
    return Verdict::kIgnore;  // Not from ParseMessage.
  }
  newest_session_ = std::max(newest_session_, message.session);
  const Epoch epoch{.session = message.session, .generation = message.generation};
  switch (message.kind) {
    case MessageKind::kOffer:
      return JudgeOffer(epoch, message.seq);
    case MessageKind::kAnswer:
      return JudgeAnswer(epoch, message.seq);
    case MessageKind::kCandidate:
    case MessageKind::kEndOfCandidates:
      return JudgeCandidates(epoch, message.seq);
    case MessageKind::kStale:
      return JudgeStale(message.session);
  }
  return Verdict::kIgnore;
}

bool Negotiation::IsFresh(const Epoch& epoch) const {
  if (epoch.session == settled_.session) {
    return epoch.generation > std::max(settled_.generation, refused_generation_);
  }
  return epoch > settled_ && epoch > refused_;
}

void Negotiation::Settle(const Epoch& epoch, std::uint32_t seq) {
  if (epoch.session == settled_.session) {
    newest_generation_ = std::max(newest_generation_, epoch.generation);
  } else {
    newest_generation_ = epoch.generation;
    refused_generation_ = 0;
    // What was refused in this very session stays refused.
    if (refused_.session == epoch.session) {
      refused_generation_ = refused_.generation;
    }
  }
  settled_ = epoch;
  last_seq_ = seq;
  outstanding_.reset();
  overtaken_.reset();
}

void Negotiation::Refuse(const Epoch& epoch) {
  if (epoch.session == settled_.session) {
    refused_generation_ = std::max(refused_generation_, epoch.generation);
  } else {
    refused_ = std::max(refused_, epoch);
  }
}

Negotiation::Verdict Negotiation::JudgeOffer(const Epoch& epoch, std::uint32_t seq) {
  if (epoch == last_offer_ && seq == last_offer_seq_) {
    return Verdict::kIgnore;
  }
  last_offer_ = epoch;
  last_offer_seq_ = seq;
  const bool is_said_again = epoch == settled_ && !settled_is_ours_ && seq > last_seq_;
  if (!IsFresh(epoch) && !is_said_again) {
    return Verdict::kReplyStale;
  }
  if (outstanding_ && wins_) {
    Refuse(epoch);
    return Verdict::kKeepOffer;
  }
  Settle(epoch, seq);
  settled_is_ours_ = false;
  return Verdict::kAnswerOffer;
}

Negotiation::Verdict Negotiation::JudgeAnswer(const Epoch& epoch, std::uint32_t seq) {
  if (epoch != outstanding_) {
    return Verdict::kIgnore;
  }
  Settle(epoch, seq);
  settled_is_ours_ = true;
  return Verdict::kTakeAnswer;
}

Negotiation::Verdict Negotiation::JudgeCandidates(const Epoch& epoch, std::uint32_t seq) {
  if (epoch == outstanding_) {
    // Their answer would have come first: these belong to an offer of theirs with our number.
    return Verdict::kIgnore;
  }
  if (epoch == settled_) {  // Also while an offer of ours waits, of which the peer need not know.
    if (seq <= last_seq_) {
      return Verdict::kIgnore;
    }
    last_seq_ = seq;
    return Verdict::kTakeCandidates;
  }
  return IsFresh(epoch) ? Verdict::kEarly : Verdict::kIgnore;
}

Negotiation::Verdict Negotiation::JudgeStale(std::uint64_t newest) {
  // One below our session answers an offer that we have given up ourselves.
  if (!outstanding_ || newest < outstanding_->session) {
    return Verdict::kIgnore;
  }
  // It still waits: the reply may have been to one before it.
  return Verdict::kOfferAgain;
}

std::string_view ToString(Negotiation::Verdict verdict) {
  switch (verdict) {
    case Negotiation::Verdict::kIgnore:
      return "ignore";
    case Negotiation::Verdict::kAnswerOffer:
      return "answer offer";
    case Negotiation::Verdict::kTakeAnswer:
      return "take answer";
    case Negotiation::Verdict::kTakeCandidates:
      return "take candidates";
    case Negotiation::Verdict::kEarly:
      return "early";
    case Negotiation::Verdict::kKeepOffer:
      return "keep offer";
    case Negotiation::Verdict::kReplyStale:
      return "reply stale";
    case Negotiation::Verdict::kOfferAgain:
      return "offer again";
  }
  return "?";
}

}  // namespace floe::signaling
