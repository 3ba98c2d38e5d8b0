#include "tunnel/session_slots.h"

#include <algorithm>
#include <utility>

namespace floe::tunnel {
namespace {

bool CreatedWithin(Duration span, const Session& a, const Session& b) {
  return std::chrono::abs(a.created() - b.created()) < span;
}

}  // namespace

void SessionSlots::AddInitiated(std::unique_ptr<Session> session) {
  DropExpired(session->created());
  Retire(std::move(current_));
  // A session to come that is just as young is the other half of a crossing: the peer may be
  // sending on it. An older one was never confirmed and never will be.
  if (next_ && CreatedWithin(kRekeyTimeout, *next_, *session)) {
    Retire(std::move(next_));
  }
  next_.reset();
  current_ = std::move(session);
}

void SessionSlots::AddResponded(std::unique_ptr<Session> session) {
  DropExpired(session->created());
  // Linux forgets the session to come that this one replaces. The initiator may have had our
  // response to it and be sending already, so we go on receiving on it.
  Retire(std::move(next_));
  next_ = std::move(session);
}

Session* SessionSlots::Find(std::uint32_t local_index) const {
  const auto matches = [&](const std::shared_ptr<Session>& session) {
    return session && session->local_index() == local_index;
  };
  if (matches(current_)) {
    return current_.get();
  }
  if (matches(next_)) {
    return next_.get();
  }
  const auto found = std::ranges::find_if(retired_, matches);
  return found == retired_.end() ? nullptr : found->get();
}

bool SessionSlots::HandleReceived(TimePoint now, Session& session) {
  if (session.confirmed()) {
    if (IsPreferredByPeer(now, session)) {
      TakeFromRetired(session);
    }
    return false;
  }
  session.Confirm();
  const bool better = IsBetterThanCurrent(session);
  if (&session == next_.get()) {
    Retire(std::exchange(better ? current_ : next_, nullptr));
    if (better) {
      current_ = std::move(next_);
    }
    return true;
  }
  if (better) {
    TakeFromRetired(session);
  }
  return true;
}

void SessionSlots::TakeFromRetired(const Session& session) {
  const auto place =
      std::ranges::find(retired_, &session, [](const auto& retired) { return retired.get(); });
  std::swap(current_, *place);
  std::erase(retired_, nullptr);
}

// The losing half of what looked like a crossing, long after the peer should have left it: the peer
// has no other, because it was started again within the window.
bool SessionSlots::IsPreferredByPeer(TimePoint now, const Session& session) const {
  return current_ && current_->role() == Session::Role::kInitiator &&
         session.role() == Session::Role::kResponder && session.created() > current_->created() &&
         now - current_->created() >= kCrossingWindow;
}

// For a session that the peer has initiated and used: usually the answer is yes. No is for what
// has been overtaken, and for the losing half of a crossing.
bool SessionSlots::IsBetterThanCurrent(const Session& session) const {
  if (!current_) {
    return true;
  }
  if (current_->role() == Session::Role::kResponder) {
    return session.created() > current_->created();
  }
  if (winner_ == CrossingWinner::kPeer) {
    return session.created() > current_->created() ||
           CreatedWithin(kRekeyTimeout, session, *current_);
  }
  // The peer sent its initiation before it answered ours, so the two came at about the same time.
  // If not, it is no crossing: the peer has begun anew, and its session is the one that counts.
  return session.created() > current_->created() &&
         !CreatedWithin(kCrossingWindow, session, *current_);
}

void SessionSlots::Retire(std::shared_ptr<Session> session) {
  if (!session) {
    return;
  }
  if (retired_.size() == kMaxRetired) {
    retired_.erase(retired_.begin());
  }
  retired_.push_back(std::move(session));
}

void SessionSlots::DropExpired(TimePoint now) {
  const auto is_expired = [now](const auto& session) {
    return session && session->expires() <= now;
  };
  for (auto* session : {&current_, &next_}) {
    if (is_expired(*session)) {
      session->reset();
    }
  }
  std::erase_if(retired_, is_expired);
}

void SessionSlots::Clear() {
  current_.reset();
  next_.reset();
  retired_.clear();
}

}  // namespace floe::tunnel
