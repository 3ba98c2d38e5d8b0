// Feeds packets out of the tunnel to Pinger: arbitrary ones, and the right answer spoilt. The first
// byte says which, and of which family. Seeds: tests/fuzz/corpus/pinger/.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "app/floed/engine/pinger.h"
#include "base/check.h"
#include "base/socket_address.h"
#include "tests/fuzz/steps.h"
#include "tests/support/fake_random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using floe::IpAddress;
  constexpr std::uint32_t kPeer = 1;

  floe::Bytes rest(data, size);
  const std::uint8_t what = floe::fuzz::TakeByte(rest);
  const bool v4 = (what & 1U) != 0;
  const auto from = v4 ? IpAddress::V4(10, 71, 0, 1) : *floe::ParseIpAddress("fd66::1");
  const auto to = v4 ? IpAddress::V4(10, 71, 0, 2) : *floe::ParseIpAddress("fd66::2");

  floe::test::FakeRandom random;
  floe::engine::Pinger pinger(random);
  const floe::TimePoint now{std::chrono::hours(1)};
  std::vector<std::uint8_t> packet = pinger.MakeRequest(now, kPeer, from, to).packet;
  if ((what & 2U) != 0) {
    packet.assign(rest.begin(), rest.end());
  } else {
    packet[v4 ? 20 : 40] = v4 ? 0 : 129;
    floe::fuzz::Spoil(packet, rest);
    packet.resize(packet.size() - std::min<std::size_t>(what >> 2U, packet.size()));
  }

  FLOE_CHECK(!pinger.HandlePacket(now, kPeer + 1, packet));
  const bool answered = pinger.HandlePacket(now, kPeer, packet);
  FLOE_CHECK(!pinger.HandlePacket(now, kPeer, packet));  // Not twice.
  FLOE_CHECK(pinger.PollPong().has_value() == answered);
  FLOE_CHECK(!pinger.PollPong());
  return 0;
}
