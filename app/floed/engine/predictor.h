// Port prediction for one link: who tries ports, when, and how often. What is sent is
// ice/port_prediction's.
//
// Two messages, candidates with an option of their own, start an attempt:
//
//   behind the easy NAT                      behind the hard NAT
//     relayed for 5 s    -- predict-ready: my outside address ->   opens sockets, each sends a
//     check searches           <- predict-open: ports that were seen --  to that address
//
// The first authentic check at one of the sockets makes that socket an address of ours, and the
// agent does the rest; the other sockets are closed.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/fifo.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/gatherer.h"
#include "ice/port_prediction.h"
#include "ice/stun/message.h"

namespace floe::engine {

/// In an offer or an answer: this end takes part.
inline constexpr std::string_view kPredictionOption = "port-prediction";
inline constexpr std::string_view kReadyOption = "predict-ready";
inline constexpr std::string_view kOpenOption = "predict-open";

/// Wanted: UDP sockets at this address of ours. Answered by SetSockets(), with fewer or none where
/// there are no more.
struct SocketsWanted {
  IpAddress ip;
  std::size_t count = 0;
};

/// These are not needed any more.
struct SocketsDone {
  std::vector<SocketAddress> sockets;
};

using SocketWish = std::variant<SocketsWanted, SocketsDone>;

/// For the peer.
struct PredictorMessage {
  std::string_view option;
  std::vector<SocketAddress> addresses;
};

struct PredictionCounters {
  std::uint64_t attempts = 0;
  std::uint64_t probes = 0;
  std::uint64_t found = 0;  // Attempts that ended with a direct path.
};

/// The state of an attempt, and all transitions:
///
///   kIdle -> kReady         easy: the peer has been told
///   kReady -> kSearching    it has opened ports
///   kIdle -> kWanting       hard: the peer is ready, sockets are asked for
///   kWanting -> kOpening    there are sockets
///   kOpening -> kOpen       all have sent, and the peer has been told
///   any -> kIdle            done, late, or no reason any more
///
/// One input, then all outputs, then sleep until NextTimeout().
class Predictor {
 public:
  static constexpr Duration kRelayedFor = std::chrono::seconds(5);
  static constexpr std::size_t kMaxAttempts = 2;  // In kWindow.
  static constexpr Duration kWindow = std::chrono::hours(1);
  static constexpr Duration kRest = std::chrono::seconds(30);  // Before the second.

  /// What the link knows while an input is handled.
  struct View {
    const ice::Agent* agent = nullptr;     // The session, or null.
    const ice::Agent* previous = nullptr;  // The one before it, while it is kept.
    bool agreed = false;                   // Both ends have said that they take part in it.
    bool relayed = false;                  // Its data goes over a relay, for want of anything else.
  };

  enum class Verdict : std::uint8_t {
    kNotMine,
    kConsumed,
    kAdopt,  // An authentic check: that socket is an address of ours from here on.
  };

  /// Both must outlive it.
  Predictor(const ice::Gatherer& gatherer, RandomSource& random)
      : gatherer_(gatherer), random_(random) {}

  // Inputs.

  /// After every input of the link.
  void Update(TimePoint now, const View& view);
  /// `addresses` are those of the peer that may be sent to.
  void HandleMessage(TimePoint now, const View& view, std::string_view option,
                     const std::vector<SocketAddress>& addresses);
  void SetSockets(TimePoint now, const View& view, std::vector<SocketAddress> sockets);
  /// What came to a socket that is not one of the machine's usual ones.
  [[nodiscard]] Verdict HandleStun(const View& view, const SocketAddress& local,
                                   const SocketAddress& remote,
                                   const ice::stun::MessageView& message);
  void HandleTimeout(TimePoint now, const View& view);

  // Outputs.

  [[nodiscard]] std::optional<PredictorMessage> PollMessage();
  [[nodiscard]] std::optional<ice::Transmit> PollTransmit();
  [[nodiscard]] std::optional<SocketWish> PollSocketWish();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  /// Whether it has sockets beside the one in use, or waits for them.
  [[nodiscard]] bool has_sockets() const { return phase_ == Phase::kWanting || !sockets_.empty(); }

  [[nodiscard]] const PredictionCounters& counters() const { return counters_; }

 private:
  enum class Phase : std::uint8_t { kIdle, kReady, kSearching, kWanting, kOpening, kOpen };

  [[nodiscard]] std::optional<ice::Candidate> Outside() const;
  [[nodiscard]] static ice::PortPredictionConfig ConfigOf(const ice::Agent& agent);
  [[nodiscard]] bool TakeAttempt(TimePoint now);
  void GetReady(TimePoint now, const View& view);
  void SayOpen(TimePoint now);
  void End();
  void CloseSockets();
  void Drain();

  const ice::Gatherer& gatherer_;
  RandomSource& random_;
  Phase phase_ = Phase::kIdle;
  std::uint32_t session_ = 0;          // The tag of the agent that the attempt is for.
  SocketAddress base_;                 // What we search from, or whose address the sockets have.
  SocketAddress outside_;              // Where the internet sees it.
  SocketAddress target_;               // Where the peer is seen.
  std::optional<TimePoint> deadline_;  // Of the phase.
  std::optional<TimePoint> next_try_;  // While relayed.
  std::vector<TimePoint> attempts_;    // Within kWindow.
  std::optional<ice::PortPrediction> prediction_;
  std::vector<SocketAddress> sockets_;

  struct Adopted {
    SocketAddress socket;
    std::uint32_t session;
  };

  std::optional<Adopted> adopted_;
  PredictionCounters counters_;
  Fifo<PredictorMessage> messages_;
  Fifo<ice::Transmit> transmits_;
  Fifo<SocketWish> wishes_;
};

}  // namespace floe::engine
