#include "tests/sim/watch.h"

#include <algorithm>
#include <chrono>

#include "tests/sim/simulation.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kConsent = seconds(30);
// A pair is asked after 0, 100, 300 and 700 ms. A second session with the peer, triggered checks
// and nominations come on top.
constexpr std::size_t kChecksInSecond = 30;
// One address that never answers is asked once a second in the long run: eight times in each of
// the rounds that come every 20 s, by the sessions with two peers that may both be behind it.
constexpr Duration kLong = std::chrono::minutes(10);
constexpr std::size_t kChecksInLong = 600;
constexpr std::size_t kChecksKept = 32;

enum class Kind : std::uint8_t { kOther, kCheck, kAnswer, kData };

Kind KindOf(Bytes payload) {
  if (payload.size() >= 32 && LoadLe<std::uint32_t>(payload, 0) == 4) {
    return Kind::kData;
  }
  if (payload.size() < 20 || LoadBe<std::uint32_t>(payload, 4) != 0x2112'A442) {
    return Kind::kOther;
  }
  switch (LoadBe<std::uint16_t>(payload, 0)) {
    case 0x0001:
      return Kind::kCheck;
    case 0x0101:
      return Kind::kAnswer;
    default:
      return Kind::kOther;
  }
}

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(duration).count()) + " ms";
}

}  // namespace

void Watch::HandlePacket(const PacketRecord& record) {
  if (record.flow.protocol != Protocol::kUdp) {
    return;
  }
  if (record.event == PacketEvent::kSent && !servers_.contains(record.flow.from.ip)) {
    ++sent_;
    if (!servers_.contains(record.flow.to.ip)) {
      HandleSent(record);
    }
  } else if (record.event == PacketEvent::kDelivered && !servers_.contains(record.flow.from.ip) &&
             !servers_.contains(record.flow.to.ip)) {
    HandleDelivered(record);
  }
}

void Watch::HandleSent(const PacketRecord& record) {
  const Way way{record.flow.from, record.flow.to};
  const Kind kind = KindOf(record.payload);
  if (kind == Kind::kData) {
    const auto answered = answered_.find(way);
    if (answered == answered_.end() || record.at - answered->second > kConsent) {
      Fail(record, answered == answered_.end()
                       ? "data without consent, never given,"
                       : "data without consent, given " +
                             Milliseconds(record.at - answered->second) + " ago,");
    }
  } else if (kind == Kind::kCheck) {
    Asking& asking = asked_[way];
    if (record.at - asking.second >= seconds(1)) {
      asking.second = record.at;
      asking.in_second = 0;
    }
    if (++asking.in_second > kChecksInSecond) {
      Fail(record, "too many checks in a second");
    }
    if (asking.unanswered == 0 || record.at - asking.since > kLong) {
      asking.since = record.at;
      asking.unanswered = 0;
    }
    if (++asking.unanswered > kChecksInLong) {
      Fail(record, "too many checks to one who does not answer");
    }
  }
}

void Watch::HandleDelivered(const PacketRecord& record) {
  const Kind kind = KindOf(record.payload);
  if (kind != Kind::kCheck && kind != Kind::kAnswer) {
    return;
  }
  if (kind == Kind::kAnswer) {
    const Way way{record.flow.to, record.flow.from};
    answered_[way] = record.at;
    asked_.erase(way);
  }
  checks_.push_back({record.flow, {record.payload.begin(), record.payload.end()}});
  if (checks_.size() > kChecksKept) {
    checks_.pop_front();
  }
}

void Watch::Fail(const PacketRecord& record, const std::string& what) {
  if (!failure_) {
    failure_ = what + " from " + ToString(record.flow.from) + " to " + ToString(record.flow.to) +
               " at " + Milliseconds(record.at - Simulation::kStart);
  }
}

}  // namespace floe::sim
