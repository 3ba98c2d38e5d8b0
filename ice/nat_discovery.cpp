#include "ice/nat_discovery.h"

#include <algorithm>
#include <array>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;

constexpr std::array<Duration, 3> kGaps{milliseconds(250), milliseconds(500), milliseconds(1000)};
constexpr std::uint32_t kChangeIp = 4;    // RFC 5780 section 7.2
constexpr std::uint32_t kChangePort = 2;  // Likewise.

}  // namespace

std::string_view ToString(NatMapping mapping) {
  switch (mapping) {
    case NatMapping::kUnknown:
      return "unknown";
    case NatMapping::kNone:
      return "none";
    case NatMapping::kEndpointIndependent:
      return "endpoint-independent";
    case NatMapping::kAddressDependent:
      return "address-dependent";
    case NatMapping::kAddressAndPortDependent:
      return "address-and-port-dependent";
  }
  return "unknown";
}

std::string_view ToString(NatFiltering filtering) {
  switch (filtering) {
    case NatFiltering::kUnknown:
      return "unknown";
    case NatFiltering::kEndpointIndependent:
      return "endpoint-independent";
    case NatFiltering::kAddressDependent:
      return "address-dependent";
    case NatFiltering::kAddressAndPortDependent:
      return "address-and-port-dependent";
  }
  return "unknown";
}

NatDiscovery::NatDiscovery(TimePoint now, const NatDiscoveryConfig& config, RandomSource& random)
    : config_(config), random_(random) {
  if (config_.filtering) {
    Ask(now, Question::kFilterBoth);
  } else {
    AskAboutMapping(now);
  }
}

void NatDiscovery::Ask(TimePoint now, Question question) {
  question_ = question;
  sends_ = 0;
  ids_.clear();
  wake_.reset();
  if (question != Question::kDone) {
    Send(now);
  }
}

void NatDiscovery::AskAboutMapping(TimePoint now) {
  const bool none = config_.mapped == config_.base;
  mapping_ = none ? NatMapping::kNone : mapping_;
  Ask(now, none ? Question::kDone : Question::kMapAddress);
}

void NatDiscovery::Send(TimePoint now) {
  ids_.push_back(stun::NewTransactionId(random_));
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, ids_.back());
  SocketAddress target = config_.server;
  if (question_ == Question::kFilterBoth) {
    builder.AddU32(stun::AttributeType::kChangeRequest, kChangeIp | kChangePort);
  } else if (question_ == Question::kFilterPort) {
    builder.AddU32(stun::AttributeType::kChangeRequest, kChangePort);
  } else if (question_ == Question::kMapAddress) {
    target.ip = config_.other.ip;
  } else {
    target = config_.other;
  }
  builder.AddFingerprint();
  transmits_.push_back({config_.base, target, builder.Take()});
  wake_ = now + kGaps.at(sends_++);
}

void NatDiscovery::HandleTimeout(TimePoint now) {
  if (!wake_ || *wake_ > now) {
    return;
  }
  if (sends_ < kGaps.size()) {
    Send(now);
  } else {
    HandleSilence(now);
  }
}

void NatDiscovery::HandleSilence(TimePoint now) {
  switch (question_) {
    case Question::kFilterBoth:
      Ask(now, Question::kFilterPort);
      return;
    case Question::kFilterPort:
      filtering_ = NatFiltering::kAddressAndPortDependent;
      AskAboutMapping(now);
      return;
    case Question::kMapAddress:
    case Question::kMapBoth:
    case Question::kDone:
      Ask(now, Question::kDone);  // The other address does not answer: nothing can be said.
      return;
  }
}

bool NatDiscovery::HandleResponse(TimePoint now, const SocketAddress& local,
                                  const SocketAddress& remote, const stun::MessageView& message) {
  const bool ours = std::ranges::find(ids_, message.transaction_id()) != ids_.end();
  if (!ours || local != config_.base) {
    return false;
  }
  const auto mapped = stun::FindMappedAddress(message);
  const bool good = message.message_class() == stun::Class::kSuccess && mapped;
  if (question_ == Question::kFilterBoth || question_ == Question::kFilterPort) {
    if (good) {
      HandleFiltering(now, remote);
    } else {
      AskAboutMapping(now);  // 420: it does not do CHANGE-REQUEST.
    }
  } else if (good && remote.ip == config_.other.ip) {
    HandleMapping(now, mapped->Unmapped());
  } else {
    Ask(now, Question::kDone);
  }
  return true;
}

/// The answer came through, so the filter lets pass whom it came from. One from the server's first
/// address says nothing.
void NatDiscovery::HandleFiltering(TimePoint now, const SocketAddress& remote) {
  if (question_ == Question::kFilterBoth && remote == config_.other) {
    filtering_ = NatFiltering::kEndpointIndependent;
  } else if (question_ == Question::kFilterPort && remote.ip == config_.server.ip &&
             remote.port == config_.other.port) {
    filtering_ = NatFiltering::kAddressDependent;
  }
  AskAboutMapping(now);
}

void NatDiscovery::HandleMapping(TimePoint now, const SocketAddress& mapped) {
  if (question_ == Question::kMapAddress && mapped != config_.mapped) {
    second_ = mapped;
    Ask(now, Question::kMapBoth);
    return;
  }
  mapping_ = question_ == Question::kMapAddress ? NatMapping::kEndpointIndependent
             : mapped == second_                ? NatMapping::kAddressDependent
                                                : NatMapping::kAddressAndPortDependent;
  Ask(now, Question::kDone);
}

std::optional<Transmit> NatDiscovery::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

}  // namespace floe::ice
