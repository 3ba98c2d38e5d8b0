#include "tunnel/session_slots.h"

#include <array>
#include <utility>

namespace floe::tunnel {

void SessionSlots::AddInitiated(TimePoint now, std::unique_ptr<Session> session) {
  // A session to come that is just as young is the other half of a crossing: the peer may be
  // sending on it. An older one was never confirmed and never will be.
  if (next_ && now - next_->created() < kRekeyTimeout) {
    previous_ = std::move(next_);
  } else {
    previous_ = std::move(current_);
    next_.reset();
  }
  current_ = std::move(session);
}

void SessionSlots::AddResponded(std::unique_ptr<Session> session) {
  // Linux forgets the session to come that this one replaces. The initiator may have had our
  // response to it and be sending already, so we go on receiving on it.
  if (next_) {
    previous_ = std::move(next_);
  }
  next_ = std::move(session);
}

Session* SessionSlots::Find(std::uint32_t local_index) const {
  for (const auto* slot : {&current_, &previous_, &next_}) {
    if (*slot && (*slot)->local_index() == local_index) {
      return slot->get();
    }
  }
  return nullptr;
}

bool SessionSlots::HandleReceived(Session& session) {
  if (session.confirmed()) {
    return false;
  }
  session.Confirm();
  if (&session == next_.get()) {
    previous_ = std::move(current_);
    current_ = std::move(next_);
    return true;
  }
  const bool crossed = current_ && current_->role() == Session::Role::kInitiator;
  if (!current_ || (crossed && winner_ == CrossingWinner::kPeer)) {
    std::swap(current_, previous_);
  }
  return true;
}

void SessionSlots::Clear() {
  previous_.reset();
  current_.reset();
  next_.reset();
}

}  // namespace floe::tunnel
