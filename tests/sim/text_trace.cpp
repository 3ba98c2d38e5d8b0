#include "tests/sim/text_trace.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/socket_address.h"

namespace floe::sim {
namespace {

constexpr std::uint32_t kStunCookie = 0x2112'A442;  // RFC 8489 section 5

std::string_view StunKind(Bytes datagram) {
  // The class bits C1 and C0 of the message type, RFC 8489 section 5, figure 3.
  switch (LoadBe<std::uint16_t>(datagram, 0) & 0x0110U) {
    case 0x0000:
      return "stun-request";
    case 0x0010:
      return "stun-indication";
    case 0x0100:
      return "stun-success";
    default:
      return "stun-error";
  }
}

std::string_view WireGuardKind(std::uint8_t type) {
  static constexpr std::array<std::string_view, 4> kNames = {"wg-initiation", "wg-response",
                                                             "wg-cookie", "wg-data"};
  return kNames.at(type - std::size_t{1});
}

}  // namespace

std::string_view KindOf(Bytes datagram) {
  if (datagram.size() < 4) {
    return "other";
  }
  const std::uint8_t first = datagram[0];
  if (first >= 1 && first <= 4 && datagram[1] == 0 && datagram[2] == 0 && datagram[3] == 0) {
    return WireGuardKind(first);
  }
  if (first < 0x40 && datagram.size() >= 20 && LoadBe<std::uint32_t>(datagram, 4) == kStunCookie) {
    return StunKind(datagram);
  }
  if (first >= 0x40 && first < 0x50) {
    return "channel-data";
  }
  return "other";
}

std::string_view ToString(PacketEvent event) {
  switch (event) {
    case PacketEvent::kSent:
      return "sent";
    case PacketEvent::kPublic:
      return "public";
    case PacketEvent::kDelivered:
      return "delivered";
    case PacketEvent::kDropped:
      return "dropped";
  }
  FLOE_CHECK(false);
}

std::string_view ToString(Drop drop) {
  static constexpr std::array<std::string_view, kDropKinds> kNames = {
      "",       "no source", "no route", "link down",  "lost", "too big",    "blocked",
      "no udp", "unasked",   "no port",  "no hairpin", "loop", "no receiver"};
  return kNames.at(static_cast<std::size_t>(drop));
}

void TextTrace::HandlePacket(const PacketRecord& record) {
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(record.at.time_since_epoch()).count();
  std::array<char, 32> time{};
  const int length = std::snprintf(time.data(), time.size(), "%lld.%06lld",
                                   static_cast<long long>(micros / 1'000'000),
                                   static_cast<long long>(micros % 1'000'000));
  text_.append(time.data(), static_cast<std::size_t>(length));
  text_.append(" ").append(ToString(record.event)).append(" ");
  if (record.why != Drop::kNone) {
    text_.append("(").append(ToString(record.why)).append(") ");
  }
  text_.append(ToString(record.flow.from)).append(" > ").append(ToString(record.flow.to));
  const bool is_tcp = record.flow.protocol == Protocol::kTcp;
  text_.append(" ").append(is_tcp ? "tcp" : KindOf(record.payload));
  text_.append(" ").append(std::to_string(record.payload.size())).append("\n");
}

}  // namespace floe::sim
