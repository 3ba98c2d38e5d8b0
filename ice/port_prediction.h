// Finds a way between a NAT that shows each remote another port ("hard") and one that shows all the
// same ("easy"), where the easy one lets in only from ports that were sent to: by trying ports.
//
// Behind the hard NAT a check goes from each of many sockets to the one address of the peer, which
// opens as many ports of that NAT to it. The peer sends checks to ports of the NAT until one of
// them is open. With n ports open and k tried of N = 64,512, they miss with a probability of about
// (1 - n/N)^k: 2 % for 256 and 1,024.
//
// Source: ours; the checks are those of RFC 8445 section 7.2.2.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/stun/message.h"

namespace floe::ice {

/// Of the session whose checks are sent.
struct PortPredictionConfig {
  Credentials local;
  Credentials remote;
  Role role = Role::kControlled;
  std::uint64_t tie_breaker = 0;
};

/// One side of one attempt. It is apart from the agent and its check list: what a check leads to,
/// an authentic check of the peer where none came before, is for the agent.
///
/// One input, then all outputs, then sleep until NextTimeout().
class PortPrediction {
 public:
  static constexpr std::size_t kMaxSockets = 256;
  static constexpr std::size_t kMaxPorts = 1024;
  static constexpr std::size_t kMaxSeen = 4;  // Of the peer's ports, to begin from.
  static constexpr Duration kInterval = std::chrono::milliseconds(10);  // 100 packets a second.

  /// Behind the hard NAT: a check from each of `sockets`, of which there is at least one, to
  /// `target`. Before the first and after the last of them, `server` is asked which port the NAT
  /// has given, if there is one. `random` must outlive the object.
  [[nodiscard]] static PortPrediction Open(TimePoint now, PortPredictionConfig config,
                                           const std::vector<SocketAddress>& sockets,
                                           const SocketAddress& target,
                                           const std::optional<SocketAddress>& server,
                                           RandomSource& random);

  /// Behind the easy one: checks from `base` to kMaxPorts ports of the IP address of `seen`, which
  /// is not empty. First the 20 on either side of each, where a NAT that counts gives the next;
  /// then any from 1024, in random order, none twice.
  [[nodiscard]] static PortPrediction Search(TimePoint now, PortPredictionConfig config,
                                             const SocketAddress& base,
                                             const std::vector<SocketAddress>& seen,
                                             RandomSource& random);

  /// Returns whether it answers a question to the server.
  bool HandleResponse(const SocketAddress& local, const SocketAddress& remote,
                      const stun::MessageView& message);
  void HandleTimeout(TimePoint now);

  [[nodiscard]] std::optional<Transmit> PollTransmit();

  /// Nothing once all has been sent.
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const { return wake_; }

  /// How many packets went out.
  [[nodiscard]] std::size_t sent() const { return sent_; }

  /// Where the server has seen the sockets that asked, so far.
  [[nodiscard]] const std::vector<SocketAddress>& seen() const { return seen_; }

 private:
  enum class Kind : std::uint8_t { kCheck, kQuestion };

  struct Probe {
    Kind kind;
    SocketAddress local;
    SocketAddress remote;
  };

  PortPrediction(TimePoint now, PortPredictionConfig config, std::deque<Probe> probes,
                 RandomSource& random);

  [[nodiscard]] std::vector<std::uint8_t> MakeMessage(const Probe& probe);

  PortPredictionConfig config_;
  RandomSource* random_;
  std::deque<Probe> probes_;
  std::optional<TimePoint> wake_;
  std::size_t sent_ = 0;
  std::vector<std::pair<stun::TransactionId, Probe>> questions_;
  std::vector<SocketAddress> seen_;
  std::deque<Transmit> transmits_;
};

}  // namespace floe::ice
