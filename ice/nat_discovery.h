// Finds out how the NAT in front of us maps and filters, with the help of a server that has a
// second address and port.
//
// Source: RFC 5780 sections 4.3 and 4.4; the names of behaviours are those of RFC 4787.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/stun/message.h"

namespace floe::ice {

/// Whether the outside port depends on whom we send to.
enum class NatMapping : std::uint8_t {
  kUnknown,
  kNone,  // The server sees our own address.
  kEndpointIndependent,
  kAddressDependent,
  kAddressAndPortDependent,
};

/// Who may send to the outside port: anybody, or only an address, or only an address and port that
/// we have sent to.
enum class NatFiltering : std::uint8_t {
  kUnknown,
  kEndpointIndependent,
  kAddressDependent,
  kAddressAndPortDependent,
};

[[nodiscard]] std::string_view ToString(NatMapping mapping);
[[nodiscard]] std::string_view ToString(NatFiltering filtering);

struct NatDiscoveryConfig {
  SocketAddress base;
  SocketAddress server;  // Has been asked from `base`,
  SocketAddress mapped;  // has seen it here,
  SocketAddress other;   // and has this OTHER-ADDRESS: IP and port are both others.
  /// Whether filtering can be told: not if anything has been sent to the other IP before.
  bool filtering = true;
};

/// Four questions at most, one after the other, each sent at most three times. Filtering comes
/// first, because the questions about mapping open the NAT for the server's other address.
class NatDiscovery {
 public:
  /// `random` must outlive it.
  NatDiscovery(TimePoint now, const NatDiscoveryConfig& config, RandomSource& random);

  /// Returns whether it answers a question of ours.
  bool HandleResponse(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      const stun::MessageView& message);
  void HandleTimeout(TimePoint now);

  [[nodiscard]] std::optional<Transmit> PollTransmit();

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return wake_; }

  [[nodiscard]] const NatDiscoveryConfig& config() const { return config_; }

  [[nodiscard]] NatMapping mapping() const { return mapping_; }

  [[nodiscard]] NatFiltering filtering() const { return filtering_; }

 private:
  enum class Question : std::uint8_t {
    kFilterBoth,  // Answer from another IP and port.
    kFilterPort,  // Answer from another port.
    kMapAddress,  // Where does your other IP see us?
    kMapBoth,     // And your other IP and port?
    kDone,
  };

  void Ask(TimePoint now, Question question);
  void AskAboutMapping(TimePoint now);
  void Send(TimePoint now);
  void HandleSilence(TimePoint now);
  void HandleFiltering(TimePoint now, const SocketAddress& remote);
  void HandleMapping(TimePoint now, const SocketAddress& mapped);

  NatDiscoveryConfig config_;
  RandomSource& random_;
  Question question_ = Question::kDone;
  std::uint32_t sends_ = 0;
  std::vector<stun::TransactionId> ids_;  // Of this question.
  std::optional<TimePoint> wake_;
  std::optional<SocketAddress> second_;  // Where the other IP has seen us.
  NatMapping mapping_ = NatMapping::kUnknown;
  NatFiltering filtering_ = NatFiltering::kUnknown;
  std::deque<Transmit> transmits_;
};

}  // namespace floe::ice
