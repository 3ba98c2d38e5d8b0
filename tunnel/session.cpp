#include "tunnel/session.h"

#include <utility>

#include "base/check.h"

namespace floe::tunnel {

Session::Session(TimePoint now, Role role, IndexTable::Lease local, std::uint32_t remote_index,
                 TransportKeys keys, std::uint64_t first_counter)
    : role_(role),
      confirmed_(role == Role::kInitiator),
      created_(now),
      local_(std::move(local)),
      remote_index_(remote_index),
      keys_(std::move(keys)),
      next_counter_(first_counter) {}

bool Session::CanSend(TimePoint now) const {
  return now < expires() && next_counter_ < kRejectAfterMessages;
}

std::vector<std::uint8_t> Session::Seal(Sealer& sealer, Bytes inner) {
  FLOE_CHECK(next_counter_ < kRejectAfterMessages);
  return sealer.Seal(keys_.send, remote_index_, next_counter_++, inner);
}

Result<std::vector<std::uint8_t>, Session::OpenError> Session::Open(TimePoint now, Sealer& sealer,
                                                                    const TransportView& message) {
  const std::uint64_t counter = message.counter();
  if (now >= expires() || counter >= kRejectAfterMessages) {
    return Fail(OpenError::kExpired);
  }
  // Known already before the cipher's work; remembered only after it, or a forged packet could make
  // us refuse the true one.
  if (!received_.IsFresh(counter)) {
    return Fail(OpenError::kReplay);
  }
  auto inner = sealer.Open(keys_.receive, counter, message.encrypted_packet());
  if (!inner) {
    return Fail(OpenError::kForged);
  }
  received_.Accept(counter);
  return *std::move(inner);
}

bool Session::WantsRekeyAfterSend(TimePoint now) const {
  return next_counter_ >= kRekeyAfterMessages ||
         (role_ == Role::kInitiator && now >= created_ + kRekeyAfterTime);
}

// Only for an initiator that receives but has nothing to send: early enough for its keepalive and
// a retry to come before the session ends.
bool Session::WantsRekeyAfterReceive(TimePoint now) const {
  return role_ == Role::kInitiator && now >= expires() - kKeepaliveTimeout - kRekeyTimeout;
}

}  // namespace floe::tunnel
