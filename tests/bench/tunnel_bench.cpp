// What a packet costs a tunnel with few peers and with many:
// `build/release/tests/bench/tunnel_bench`.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/support/fake_random.h"
#include "tunnel/messages.h"
#include "tunnel/tunnel.h"

namespace floe::tunnel {
namespace {

constexpr TimePoint kNow{std::chrono::hours(1)};

/// A tunnel whose peers each have an address of 10.0.0.0/8 and a handshake under way.
struct Crowd {
  explicit Crowd(std::uint32_t count)
      : tunnel(kNow, GeneratePrivateKey(random), std::chrono::seconds(1'700'000'000), random) {
    for (PeerId id = 0; id < count; ++id) {
      PeerConfig config{.public_key = DerivePublicKey(GeneratePrivateKey(random))};
      config.allowed_ips = {{AddressOf(id), 32}};
      if (!tunnel.AddPeer(kNow, id, std::move(config))) {
        continue;
      }
      tunnel.StartHandshake(kNow, id);
      indices.push_back(LoadLe<std::uint32_t>(tunnel.PollDatagram()->bytes, initiation::kSender));
    }
  }

  static IpAddress AddressOf(PeerId id) {
    return IpAddress::V4(10, 0, static_cast<std::uint8_t>(id >> 8U), static_cast<std::uint8_t>(id));
  }

  /// Made once for each size: thousands of keys take seconds.
  static Crowd& Of(std::int64_t count) {
    static std::map<std::int64_t, std::unique_ptr<Crowd>> crowds;
    auto& crowd = crowds[count];
    if (crowd == nullptr) {
      crowd = std::make_unique<Crowd>(static_cast<std::uint32_t>(count));
    }
    return *crowd;
  }

  test::FakeRandom random;
  Tunnel tunnel;
  std::vector<std::uint32_t> indices;  // Ours, one for each peer.
};

/// As far as the peer that a receiver index names; it has no session, so that is all.
void BM_ReceiverIndex(benchmark::State& state) {
  Crowd& crowd = Crowd::Of(state.range(0));
  std::vector<std::uint8_t> message(transport::kMinSize);
  WriteMessageType(message, MessageType::kTransport);
  std::size_t next = 0;
  for (auto _ : state) {
    next = (next + 7919) % crowd.indices.size();
    StoreLe<std::uint32_t>(message, transport::kReceiver, crowd.indices[next]);
    benchmark::DoNotOptimize(crowd.tunnel.HandleDatagram(kNow, {}, message));
  }
}

/// As far as the peer that has the destination: there the packet waits for its session, or pushes
/// out another that does.
void BM_Destination(benchmark::State& state) {
  Crowd& crowd = Crowd::Of(state.range(0));
  std::vector<std::uint8_t> packet(20);
  packet[0] = 0x45;
  packet[3] = 20;
  PeerId next = 0;
  for (auto _ : state) {
    next = (next + 7919) % static_cast<PeerId>(crowd.indices.size());
    const IpAddress destination = Crowd::AddressOf(next);
    std::ranges::copy(destination.octets(), packet.begin() + 16);
    crowd.tunnel.HandlePacket(kNow, packet);
  }
}

BENCHMARK(BM_ReceiverIndex)->Arg(1)->Arg(1000)->Arg(65'536);
BENCHMARK(BM_Destination)->Arg(1)->Arg(1000)->Arg(65'536);

}  // namespace
}  // namespace floe::tunnel

BENCHMARK_MAIN();
