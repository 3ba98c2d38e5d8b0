// What a node with 1, 10, 100 and 1,000 peers costs, in the simulator: memory by count, work by the
// clock of this machine, the rest in virtual time. `build/release/tests/bench/scale_bench
// [PEERS...]`.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "tests/sim/star.h"

namespace floe::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kRounds = 20'000;

struct Datagram {
  ice::Path path;  // As the hub sees it.
  std::vector<std::uint8_t> bytes;
};

/// One UDP packet of 1,200 bytes, from 10.72.0.0 + n to the hub.
std::vector<std::uint8_t> InnerPacket(std::size_t n) {
  std::vector<std::uint8_t> packet(1200);
  packet[0] = 0x45;
  StoreBe<std::uint16_t>(packet, 2, 1200);
  packet[8] = 64;
  packet[9] = 17;
  const std::uint32_t source = (10U << 24U) + (72U << 16U) + static_cast<std::uint32_t>(n);
  StoreBe<std::uint32_t>(packet, 12, source);
  StoreBe<std::uint32_t>(packet, 16, (10U << 24U) + (71U << 16U) + 1U);
  return packet;
}

std::vector<std::uint8_t> Check(Star& star, engine::PeerId peer) {
  const ice::Agent& hub = *star.hub().engine().link(peer).agent();
  const ice::Agent& spoke = *star.spoke(peer).engine().link(0).agent();
  ice::stun::Builder builder(ice::stun::Class::kRequest, ice::stun::Method::kBinding,
                             ice::stun::NewTransactionId(star.sim().random()));
  builder
      .AddText(ice::stun::AttributeType::kUsername,
               hub.local_credentials().ufrag + ':' + spoke.local_credentials().ufrag)
      .AddU32(ice::stun::AttributeType::kPriority, 1)
      .AddU64(hub.role() == ice::Role::kControlled ? ice::stun::AttributeType::kIceControlling
                                                   : ice::stun::AttributeType::kIceControlled,
              1)
      .AddIntegrity(AsBytes(hub.local_credentials().password))
      .AddFingerprint();
  return builder.Take();
}

/// One after the other from all peers: nanoseconds for each until all that follows is polled.
double Measure(Star& star, const std::vector<Datagram>& datagrams) {
  engine::Engine& hub = star.hub().engine();
  const auto start = std::chrono::steady_clock::now();
  for (const Datagram& datagram : datagrams) {
    hub.HandleDatagram(star.sim().now(), datagram.path.local, datagram.path.remote, datagram.bytes);
    while (hub.PollPacket() || hub.PollTransmit()) {
    }
    static_cast<void>(hub.NextTimeout());
  }
  const auto spent = std::chrono::steady_clock::now() - start;
  return std::chrono::duration<double, std::nano>(spent).count() /
         static_cast<double>(datagrams.size());
}

/// Where linking takes longer than a session lives, the first are over: all get one that holds.
void Wake(Star& star, std::size_t peers) {
  for (std::size_t peer = 0; peer < peers; ++peer) {
    star.spoke(peer).engine().HandlePacket(star.sim().now(), InnerPacket(peer));
    star.spoke_host(peer).Poke();
  }
  star.sim().RunFor(seconds(5));
}

std::vector<Datagram> MakeData(Star& star, std::size_t peers) {
  std::vector<Datagram> data;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const std::size_t peer = i % peers;
    engine::Engine& spoke = star.spoke(peer).engine();
    spoke.HandlePacket(star.sim().now(), InnerPacket(peer));
    while (auto sent = spoke.PollTransmit()) {
      data.push_back({*star.hub().engine().link(static_cast<engine::PeerId>(peer)).path(),
                      std::move(sent->payload)});
    }
  }
  return data;
}

std::vector<Datagram> MakeChecks(Star& star, std::size_t peers) {
  std::vector<Datagram> checks;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const auto peer = static_cast<engine::PeerId>(i % peers);
    checks.push_back({*star.hub().engine().link(peer).path(), Check(star, peer)});
  }
  return checks;
}

void Report(std::size_t peers) {
  const std::size_t before = Star::hub_heap();
  double offline = 0;
  {
    Star star({.peers = peers});
    star.sim().RunFor(minutes(5));
    offline = static_cast<double>(Star::hub_heap() - before) / static_cast<double>(peers);
  }
  Star star({.peers = peers, .online = peers});
  const TimePoint start = star.sim().now();
  while (star.linked() < peers && star.sim().now() - start < minutes(10)) {
    star.sim().RunFor(milliseconds(100));
  }
  const auto linked = std::chrono::duration<double>(star.sim().now() - start).count();
  Wake(star, peers);
  const double data = Measure(star, MakeData(star, peers));
  const double check = Measure(star, MakeChecks(star, peers));
  star.sim().RunFor(minutes(8));
  const double idle = static_cast<double>(Star::hub_heap() - before) / static_cast<double>(peers);
  const ice::Gatherer& gatherer = star.hub().engine().gatherer();
  std::printf("%6zu | %9.0f | %9.0f | %8.1f | %7.0f | %7.0f | %10zu | %zu of %zu\n", peers, offline,
              idle, linked, data, check, gatherer.candidates().size(), star.linked(), peers);
  std::fflush(stdout);
}

}  // namespace
}  // namespace floe::sim

int main(int argc, char** argv) {
  std::vector<std::size_t> counts;
  for (int i = 1; i < argc; ++i) {
    counts.push_back(static_cast<std::size_t>(std::strtoul(argv[i], nullptr, 10)));
  }
  if (counts.empty()) {
    counts = {1, 10, 100, 1000};
  }
  std::puts("       | bytes for each peer   | all      | ns for one        |            | still");
  std::puts(" peers |   offline |      idle | linked s |    data |   check | candidates | linked");
  for (const std::size_t count : counts) {
    floe::sim::Report(count);
  }
  return 0;
}
