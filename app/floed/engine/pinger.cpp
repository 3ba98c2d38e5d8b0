#include "app/floed/engine/pinger.h"

#include <algorithm>
#include <array>

namespace floe::engine {
namespace {

constexpr std::size_t kMaxSent = 1024;
constexpr std::size_t kIpv4Header = 20;  // bytes
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kEchoSize = 8 + 48;  // Header and payload, as ping(8) would send.
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmpv6 = 58;

/// RFC 1071. `sum` starts with what else is covered.
std::uint16_t Checksum(Bytes bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += LoadBe<std::uint16_t>(bytes, i);
  }
  if (bytes.size() % 2 != 0) {
    sum += std::uint32_t{bytes.back()} << 8U;
  }
  while (sum > 0xFFFF) {
    sum = (sum & 0xFFFFU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

/// The sum over the pseudo-header of RFC 8200 section 8.1.
std::uint32_t PseudoHeaderSum(const IpAddress& from, const IpAddress& to) {
  std::uint32_t sum = kEchoSize + kIcmpv6;
  for (std::size_t i = 0; i < 16; i += 2) {
    sum += std::uint32_t{LoadBe<std::uint16_t>(from.bytes, i)} +
           std::uint32_t{LoadBe<std::uint16_t>(to.bytes, i)};
  }
  return sum;
}

}  // namespace

Pinger::Pinger(RandomSource& random) {
  std::array<std::uint8_t, 2> bytes{};
  random.Fill(bytes);
  id_ = LoadBe<std::uint16_t>(bytes, 0);
}

Pinger::Request Pinger::MakeRequest(TimePoint now, std::uint32_t peer, const IpAddress& from,
                                    const IpAddress& to) {
  const std::uint16_t seq = next_seq_++;
  if (sent_.size() >= kMaxSent) {
    sent_.erase(
        std::ranges::min_element(sent_, {}, [](const auto& entry) { return entry.second.time; }));
  }
  sent_[seq] = {.peer = peer, .time = now};

  const std::size_t header = from.is_v4() ? kIpv4Header : kIpv6Header;
  std::vector<std::uint8_t> packet(header + kEchoSize);
  const MutableBytes ip(packet);
  if (from.is_v4()) {
    ip[0] = 0x45;
    StoreBe(ip, 2, static_cast<std::uint16_t>(packet.size()));
    ip[8] = 64;
    ip[9] = kIcmp;
    std::ranges::copy(from.octets(), ip.begin() + 12);
    std::ranges::copy(to.octets(), ip.begin() + 16);
    StoreBe(ip, 10, Checksum(ip.first(kIpv4Header)));
  } else {
    ip[0] = 0x60;
    StoreBe(ip, 4, static_cast<std::uint16_t>(kEchoSize));
    ip[6] = kIcmpv6;
    ip[7] = 64;
    std::ranges::copy(from.octets(), ip.begin() + 8);
    std::ranges::copy(to.octets(), ip.begin() + 24);
  }
  const MutableBytes echo = ip.subspan(header);
  echo[0] = from.is_v4() ? 8 : 128;
  StoreBe(echo, 4, id_);
  StoreBe(echo, 6, seq);
  StoreBe(echo, 2, Checksum(echo, from.is_v4() ? 0 : PseudoHeaderSum(from, to)));
  return {.seq = seq, .packet = std::move(packet)};
}

bool Pinger::HandlePacket(TimePoint now, std::uint32_t peer, Bytes packet) {
  if (packet.size() < kIpv4Header || sent_.empty()) {
    return false;
  }
  const bool v4 = packet[0] == 0x45 && packet[9] == kIcmp;
  const bool v6 = packet[0] >> 4U == 6 && packet[6] == kIcmpv6;
  const std::size_t header = v4 ? kIpv4Header : kIpv6Header;
  if ((!v4 && !v6) || packet.size() < header + 8) {
    return false;
  }
  const Bytes echo = packet.subspan(header);
  const auto found = sent_.find(LoadBe<std::uint16_t>(echo, 6));
  if (echo[0] != (v4 ? 0 : 129) || LoadBe<std::uint16_t>(echo, 4) != id_ || found == sent_.end() ||
      found->second.peer != peer) {
    return false;
  }
  pongs_.push_back({.peer = peer, .seq = found->first, .rtt = now - found->second.time});
  sent_.erase(found);
  return true;
}

bool Pinger::IsWaiting(TimePoint now, std::uint32_t peer) const {
  constexpr Duration kPatience = std::chrono::seconds(10);
  return std::ranges::any_of(sent_, [&](const auto& entry) {
    return entry.second.peer == peer && now - entry.second.time < kPatience;
  });
}

std::optional<Pong> Pinger::PollPong() {
  if (pongs_.empty()) {
    return std::nullopt;
  }
  const Pong pong = pongs_.front();
  pongs_.pop_front();
  return pong;
}

}  // namespace floe::engine
