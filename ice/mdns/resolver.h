// Finds the addresses of names of the local network, without I/O.
//
// Source: RFC 6762 section 5.1 (one-shot queries); draft-ietf-mmusic-mdns-ice-candidates section
// 3.2 (what an ICE agent does with a candidate that has such a name).

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace floe::ice::mdns {

/// What became of a name.
struct Resolution {
  std::string name;
  std::optional<IpAddress> address;  // The first that was answered; nothing after three seconds.
};

/// One input, then all outputs, then sleep until NextTimeout(). What it says goes to the groups of
/// GroupAddress() on every network of ours.
class Resolver {
 public:
  /// More names at once are refused: a peer sends them.
  static constexpr std::size_t kMaxNames = 32;

  /// `random` must outlive the resolver.
  explicit Resolver(RandomSource& random) : random_(random) {}

  /// Asks for a name. False if it is none (IsLocalName()) or there are too many. One that is being
  /// asked for is not asked for again; there is one Resolution.
  bool Resolve(TimePoint now, std::string_view name);

  /// What came from port 5353 (RFC 6762 section 6: an answer comes from no other).
  void HandleDatagram(Bytes datagram);
  void HandleTimeout(TimePoint now);

  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollQuery();
  [[nodiscard]] std::optional<Resolution> PollResolution();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

 private:
  struct Question {
    std::string name;
    std::uint16_t id = 0;
    std::uint32_t sends = 0;
    TimePoint wake;
  };

  void Ask(TimePoint now, Question& question);

  RandomSource& random_;
  std::vector<Question> questions_;
  std::deque<std::vector<std::uint8_t>> queries_;
  std::deque<Resolution> resolutions_;
};

}  // namespace floe::ice::mdns
