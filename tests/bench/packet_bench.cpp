// What each step of the packet path costs, on one core and in memory:
// `build/release/tests/bench/packet_bench`.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <sodium.h>
#include <string>
#include <vector>

#include "tunnel/allowed_ips.h"
#include "tunnel/cipher.h"
#include "tunnel/messages.h"
#include "tunnel/packet/coalescer.h"
#include "tunnel/packet/segmenter.h"
#include "tunnel/packet/test_packets.h"
#include "tunnel/replay_window.h"

namespace floe::tunnel {
namespace {

constexpr std::size_t kSegment = 1368;  // bytes of payload in an inner packet of 1420
constexpr std::size_t kSegments = 47;   // as many as a large packet has

std::vector<std::uint8_t> Roomy(std::size_t size) {
  return std::vector<std::uint8_t>(kCipherHeadroom + size + kCipherSlack, 1);
}

void BM_Seal(benchmark::State& state, const Cipher* cipher) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<std::uint8_t> plain = Roomy(size);
  std::vector<std::uint8_t> sealed = Roomy(size + kTagSize);
  const DerivedKey key;
  std::uint64_t counter = 0;
  for (auto _ : state) {
    cipher->Seal(key, ++counter, Bytes(plain).subspan(kCipherHeadroom, size),
                 MutableBytes(sealed).subspan(kCipherHeadroom, size + kTagSize));
    benchmark::DoNotOptimize(sealed.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_Open(benchmark::State& state, const Cipher* cipher) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<std::uint8_t> plain = Roomy(size);
  std::vector<std::uint8_t> sealed = Roomy(size + kTagSize);
  const DerivedKey key;
  const MutableBytes in = MutableBytes(plain).subspan(kCipherHeadroom, size);
  const MutableBytes out = MutableBytes(sealed).subspan(kCipherHeadroom, size + kTagSize);
  ReferenceCipher().Seal(key, 1, in, out);
  for (auto _ : state) {
    if (!cipher->Open(key, 1, out, in)) {
      state.SkipWithError("not authentic");
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_Split(benchmark::State& state, bool tcp) {
  const test::Packet packet = test::MakePacket({.tcp = tcp, .payload = kSegments * kSegment});
  const OffloadHeader header{
      .segments = tcp ? OffloadHeader::Segments::kTcp4 : OffloadHeader::Segments::kUdp,
      .needs_checksum = true,
      .segment_size = kSegment,
      .checksum_start = kIpv4HeaderSize,
      .checksum_offset = static_cast<std::uint16_t>(tcp ? kTcpChecksum : kUdpChecksum)};
  test::Packet work = packet;
  for (auto _ : state) {
    std::copy_n(packet.begin(), test::PayloadOffset(packet), work.begin());
    auto segmenter = Segmenter::Make(header, work);
    while (auto segment = segmenter->Next()) {
      benchmark::DoNotOptimize(segment->data());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSegments));
}

void BM_Join(benchmark::State& state, bool tcp) {
  std::vector<test::Packet> train;
  for (std::uint32_t i = 0; i < kSegments; ++i) {
    train.push_back(test::MakePacket(
        {.tcp = tcp, .payload = kSegment, .sequence = i * std::uint32_t{kSegment}}));
  }
  const test::Packet first = train[0];
  Coalescer coalescer({});
  for (auto _ : state) {
    std::copy_n(first.begin(), test::PayloadOffset(first), train[0].begin());
    for (test::Packet& packet : train) {
      coalescer.Add(packet);
    }
    if (coalescer.Finish().size() != 1) {
      state.SkipWithError("not joined");
    }
    coalescer.Clear();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSegments));
}

void BM_Checksum(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(state.range(0)), 0xA5);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Sum(bytes));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_Replay(benchmark::State& state) {
  ReplayWindow window;
  std::uint64_t counter = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(window.IsFresh(++counter));
    window.Accept(counter);
  }
}

/// One address for each peer, of so many bytes.
void BM_AllowedIps(benchmark::State& state, std::size_t size) {
  AllowedIps table;
  const auto peers = static_cast<std::uint32_t>(state.range(0));
  std::vector<IpAddress> addresses;
  for (std::uint32_t i = 0; i < peers; ++i) {
    std::vector<std::uint8_t> bytes(size);
    bytes[0] = 10;
    StoreBe<std::uint16_t>(bytes, size - 2, static_cast<std::uint16_t>(i));
    addresses.push_back(IpAddress::FromBytes(bytes));
    table.Insert({addresses.back(), addresses.back().bits()}, i);
  }
  std::size_t at = 0;
  for (auto _ : state) {
    at = (at + 7919) % addresses.size();
    benchmark::DoNotOptimize(table.Find(addresses[at]));
  }
}

BENCHMARK_CAPTURE(BM_Split, tcp, true);
BENCHMARK_CAPTURE(BM_Split, udp, false);
BENCHMARK_CAPTURE(BM_Join, tcp, true);
BENCHMARK_CAPTURE(BM_Join, udp, false);
BENCHMARK(BM_Checksum)->Arg(64)->Arg(1400);
BENCHMARK(BM_Replay);
BENCHMARK_CAPTURE(BM_AllowedIps, ipv4, 4U)->Arg(1)->Arg(1000)->Arg(65'536);
BENCHMARK_CAPTURE(BM_AllowedIps, ipv6, 16U)->Arg(1)->Arg(1000)->Arg(65'536);

}  // namespace
}  // namespace floe::tunnel

int main(int argc, char** argv) {
  using namespace floe::tunnel;
  if (sodium_init() < 0) {  // Which chooses what this processor does best.
    return 1;
  }
  for (const Cipher* cipher : AllCiphers()) {
    for (const auto& [name, function] :
         {std::pair("Seal", &BM_Seal), std::pair("Open", &BM_Open)}) {
      const std::string title = "BM_" + std::string(name) + "<" + std::string(cipher->name()) + ">";
      benchmark::RegisterBenchmark(title.c_str(), function, cipher)->Arg(64)->Arg(1424)->Arg(8192);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
