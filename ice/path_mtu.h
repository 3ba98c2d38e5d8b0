// Finds the largest datagram that a path carries, by trying.
//
// Source: RFC 8899 (datagram packetization layer path MTU discovery).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace floe::ice {

/// Sizes are bytes of UDP payload, and multiples of kStep.
///
/// Each attempt is a small probe and one of the size in question, sent together. Only if the small
/// one is answered does the silence of the other say anything of its size: a path that is down or
/// loses much has not become narrow.
///
///   kOff -> kConfirming         Begin()
///   kConfirming -> kSearching   the size in use is answered and larger ones are worth trying, or
///   it
///                               is not answered and smaller ones are all there is
///   kConfirming -> kComplete    it is answered, and the largest wanted
///   kSearching -> kComplete     the largest that passes is known
///   kComplete -> kConfirming    now and then while data goes out, and to see whether more passes
///   any -> kSearching           HandleTooBig(), of the size in use
///   any -> kOff                 Stop()
class PathMtu {
 public:
  static constexpr std::size_t kStep = 16;

  enum class State : std::uint8_t { kOff, kConfirming, kSearching, kComplete };

  using Size = std::uint16_t;

  struct Sizes {
    Size least = 0;  // Taken to pass, whatever the answers say.
    Size base = 0;   // What nearly every path carries: where the search begins downwards.
    Size start = 0;  // Used until it is known better.
    Size most = 0;   // More is of no use.
  };

  struct Counters {
    std::uint32_t probes = 0;       // Those of a size; the small ones beside them do not count.
    std::uint32_t black_holes = 0;  // A size in use was found not to pass.
  };

  /// A path of which nothing is known, whose round trip takes `rtt`. It is tried three round trips
  /// later: by then a relay has its channel, whose messages are smaller.
  void Begin(TimePoint now, const Sizes& sizes, Duration rtt);
  void Stop();

  /// A probe of this size was answered; 0 for a small one.
  void HandleAnswer(TimePoint now, std::size_t size);

  /// The network says, and whoever can forge ICMP, that no more than `size` passes (RFC 8899
  /// section 4.6). So what is in use becomes smaller at once, and it is tried again whether more
  /// passes: if so, the network is not believed for ten minutes.
  void HandleTooBig(TimePoint now, std::size_t size);

  void NoteDataSent() { data_sent_ = true; }

  void HandleTimeout(TimePoint now);

  /// The size of a probe to send; 0 for a small one.
  [[nodiscard]] std::optional<std::size_t> PollProbe();

  [[nodiscard]] std::optional<TimePoint> NextTimeout() const {
    return wake_ == TimePoint::max() ? std::nullopt : std::optional(wake_);
  }

  /// What may be sent. 0 if it is off.
  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void Try(TimePoint now, Size size);
  void SendAttempt(TimePoint now);
  void FailProbe(TimePoint now);
  void SearchOn(TimePoint now);
  void Complete(TimePoint now);

  // There is one for each of thousands of peers, so all of it is as small as may be.
  Duration gap_{0};
  TimePoint wake_ = TimePoint::max();
  TimePoint raise_at_;
  TimePoint distrust_until_ = TimePoint::min();  // What the network says.
  Counters counters_;
  Sizes sizes_;
  Size size_ = 0;
  Size too_big_ = 0;  // The smallest size known not to pass; 0 if none is.
  Size told_ = 0;     // By the network, and not refuted; 0: nothing.

  // What is being tried.
  Size trying_ = 0;
  std::uint8_t lost_ = 0;    // Attempts that say that it does not pass.
  std::uint8_t silent_ = 0;  // Attempts in a row that say nothing; it stays at the most it counts.
  bool small_answered_ = false;  // Of the attempt under way.
  bool data_sent_ = false;       // Since a size was last confirmed.
  bool small_due_ = false;       // To be sent.
  bool large_due_ = false;       // Likewise, of trying_.
  State state_ = State::kOff;
};

[[nodiscard]] std::string_view ToString(PathMtu::State state);

}  // namespace floe::ice
