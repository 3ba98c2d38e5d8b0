// The part of Agent that tries how large a datagram the pair in use takes.
//
// Source: RFC 8899 section 4.1 (probe packets).

#include <algorithm>
#include <vector>

#include "ice/agent.h"
#include "ice/stun/builder.h"
#include "ice/stun/integrity.h"

namespace floe::ice {
namespace {

constexpr std::size_t kMaxSizeProbes = 8;  // Whose answers would still be known.
// MESSAGE-INTEGRITY, FINGERPRINT, and the header of the attribute that fills the rest, in bytes.
constexpr std::size_t kTrailer = 24 + 8;
constexpr std::size_t kAttributeHeader = 4;

}  // namespace

// Apart from the checks of consent: a probe that is lost says something of its size, and must not
// make the pair suspect.
void Agent::ProbeSize(TimePoint /*now*/, std::size_t size) {
  const Pair* pair = selected();
  if (pair == nullptr || !remote_) {
    return;
  }
  const stun::TransactionId id = MakeTransactionId();
  stun::Builder builder = BeginRequest(*pair, id);
  const std::size_t fixed = builder.size() + kTrailer + kAttributeHeader;
  if (size > fixed) {
    const std::vector<std::uint8_t> filling((size - fixed) / 4 * 4);
    builder.Add(stun::AttributeType::kSizeProbe, filling);
  }
  builder.AddIntegrity(AsBytes(remote_->password)).AddFingerprint();
  if (sizes_.size() == kMaxSizeProbes) {
    sizes_.erase(sizes_.begin());
  }
  sizes_.push_back({.id = id, .pair = pair->id, .size = size});
  transmits_.Push({.local = pair->local->base,
                   .remote = pair->remote->address,
                   .payload = builder.Take(),
                   .handling = {.dont_fragment = true}});
}

/// False if it answers no probe of size. An answer that has gone astray, or that a pair no longer
/// in use gives, says nothing of the path.
bool Agent::HandleSizeResponse(const SocketAddress& local, const SocketAddress& remote,
                               const stun::MessageView& message) {
  const auto found = std::ranges::find(sizes_, message.transaction_id(), &SizeProbe::id);
  if (found == sizes_.end()) {
    return false;
  }
  if (!remote_ || !stun::VerifyIntegrity(message, AsBytes(remote_->password))) {
    ++counters_.unauthenticated;
    return true;
  }
  const SizeProbe probe = *found;
  sizes_.erase(found);
  if (sizes_.empty()) {
    sizes_ = {};  // There may be a thousand agents.
  }
  const Pair* pair = selected();
  if (message.message_class() == stun::Class::kSuccess && pair != nullptr &&
      pair->id == probe.pair && pair->local->base == local && pair->remote->address == remote) {
    events_.Push(SizeAnswered{probe.size});
  }
  return true;
}

}  // namespace floe::ice
