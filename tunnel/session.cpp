#include "tunnel/session.h"

#include <utility>

#include "base/bytes.h"

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
  return now < expires() && next_counter_.load(std::memory_order_relaxed) < kRejectAfterMessages;
}

std::vector<std::uint8_t> Session::Seal(Sealer& sealer, Bytes inner) {
  return sealer.Seal(keys_.send, remote_index_, TakeCounter(), inner);
}

void Session::SealTo(const Cipher& cipher, Bytes padded, MutableBytes message) {
  const std::uint64_t counter = TakeCounter();
  WriteMessageType(message, MessageType::kTransport);
  StoreLe<std::uint32_t>(message, transport::kReceiver, remote_index_);
  StoreLe<std::uint64_t>(message, transport::kCounter, counter);
  cipher.Seal(keys_.send, counter, padded, message.subspan(transport::kPacket));
}

// Two threads that have asked CanSend() at the last moment take one more than there are: there is
// room for 2^13 of them.
std::uint64_t Session::TakeCounter() {
  return next_counter_.fetch_add(1, std::memory_order_relaxed);
}

Result<std::vector<std::uint8_t>, Session::OpenError> Session::Open(TimePoint now, Sealer& sealer,
                                                                    const TransportView& message) {
  const std::lock_guard lock(receiving_);
  if (auto checked = CheckCounter(now, message.counter()); !checked) {
    return Fail(checked.error());
  }
  auto inner = sealer.Open(keys_.receive, message.counter(), message.encrypted_packet());
  if (!inner) {
    return Fail(OpenError::kForged);
  }
  received_.Accept(message.counter());
  return *std::move(inner);
}

Result<void, Session::OpenError> Session::Opener::Open(TimePoint now, const Cipher& cipher,
                                                       const TransportView& message,
                                                       MutableBytes plain) {
  if (auto checked = session_.CheckCounter(now, message.counter()); !checked) {
    return checked;
  }
  if (!cipher.Open(session_.keys_.receive, message.counter(), message.encrypted_packet(), plain)) {
    return Fail(OpenError::kForged);
  }
  session_.received_.Accept(message.counter());
  return {};
}

// Before the cipher's work; remembered only after it, or a forged packet could make us refuse the
// true one.
Result<void, Session::OpenError> Session::CheckCounter(TimePoint now, std::uint64_t counter) const {
  if (now >= expires() || counter >= kRejectAfterMessages) {
    return Fail(OpenError::kExpired);
  }
  if (!received_.IsFresh(counter)) {
    return Fail(OpenError::kReplay);
  }
  return {};
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
