#include "ice/portmap/message.h"

#include <algorithm>

namespace floe::ice::portmap {
namespace {

constexpr std::uint8_t kPcpVersion = 2;
constexpr std::uint8_t kNatPmpVersion = 0;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kOpAnnounce = 0;  // PCP; in NAT-PMP the external address
constexpr std::uint8_t kOpMap = 1;       // PCP; in NAT-PMP a UDP port
constexpr std::uint8_t kResponseBit = 0x80;
constexpr std::uint16_t kUnsupportedVersion = 1;  // In both protocols.

constexpr std::size_t kPcpHeader = 24;      // bytes
constexpr std::size_t kPcpMap = 24 + 36;    // bytes
constexpr std::size_t kPcpLargest = 1100;   // bytes, RFC 6887 section 7
constexpr std::size_t kNatPmpHeader = 8;    // bytes: version, opcode, result, epoch
constexpr std::size_t kNatPmpAddress = 12;  // bytes
constexpr std::size_t kNatPmpMap = 16;      // bytes

/// 16 bytes; IPv4 as an IPv4-mapped address, RFC 6887 section 5.
void StoreIp(MutableBytes out, const IpAddress& ip) {
  if (ip.is_v6()) {
    std::ranges::copy(ip.octets(), out.begin());
    return;
  }
  out[10] = 0xFF;
  out[11] = 0xFF;
  std::ranges::copy(ip.octets(), out.begin() + 12);
}

/// version, opcode, reserved (2), lifetime (4), client's address (16)
std::vector<std::uint8_t> PcpHeader(std::uint8_t opcode, std::uint32_t lifetime,
                                    const IpAddress& client, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  bytes[0] = kPcpVersion;
  bytes[1] = opcode;
  StoreBe(bytes, 4, lifetime);
  StoreIp(MutableBytes(bytes).subspan(8, 16), client);
  return bytes;
}

/// version, opcode, reserved (1), result (1), lifetime (4), epoch (4), reserved (12); then for MAP
/// nonce (12), protocol (1), reserved (3), internal port (2), external port (2) and address (16)
std::optional<Response> ParsePcp(Bytes datagram) {
  if (datagram.size() < kPcpHeader || datagram.size() > kPcpLargest || datagram.size() % 4 != 0) {
    return std::nullopt;
  }
  Response response{.result = datagram[3],
                    .epoch = LoadBe<std::uint32_t>(datagram, 8),
                    .lifetime = LoadBe<std::uint32_t>(datagram, 4)};
  const std::uint8_t opcode = datagram[1] & static_cast<std::uint8_t>(~kResponseBit);
  if (response.result == kUnsupportedVersion) {
    return response;
  }
  if (opcode == kOpAnnounce) {
    response.kind = ResponseKind::kPcpAnnounce;
    return response;
  }
  if (opcode != kOpMap || datagram.size() < kPcpMap || datagram[36] != kUdp) {
    return std::nullopt;
  }
  response.kind = ResponseKind::kPcpMap;
  std::ranges::copy(datagram.subspan(24, 12), response.nonce.begin());
  response.internal_port = LoadBe<std::uint16_t>(datagram, 40);
  response.external = {IpAddress::FromBytes(datagram.subspan(44, 16)).Unmapped(),
                       LoadBe<std::uint16_t>(datagram, 42)};
  return response;
}

/// version, opcode, result (2), epoch (4); then the address (4), or internal port (2), external
/// port (2) and lifetime (4). An error may end after the epoch.
std::optional<Response> ParseNatPmp(Bytes datagram) {
  if (datagram.size() < kNatPmpHeader) {
    return std::nullopt;
  }
  Response response{.result = LoadBe<std::uint16_t>(datagram, 2),
                    .epoch = LoadBe<std::uint32_t>(datagram, 4)};
  if (response.result == kUnsupportedVersion) {
    return response;
  }
  if (datagram[1] == (kResponseBit | kOpAnnounce)) {
    response.kind = ResponseKind::kNatPmpAddress;
    if (response.result == 0) {
      if (datagram.size() < kNatPmpAddress) {
        return std::nullopt;
      }
      response.external.ip = IpAddress::FromBytes(datagram.subspan(8, 4));
    }
    return response;
  }
  if (datagram[1] != (kResponseBit | kOpMap)) {
    return std::nullopt;
  }
  response.kind = ResponseKind::kNatPmpMap;
  if (response.result == 0) {
    if (datagram.size() < kNatPmpMap) {
      return std::nullopt;
    }
    response.internal_port = LoadBe<std::uint16_t>(datagram, 8);
    response.external.port = LoadBe<std::uint16_t>(datagram, 10);
    response.lifetime = LoadBe<std::uint32_t>(datagram, 12);
  }
  return response;
}

}  // namespace

std::vector<std::uint8_t> MakePcpMap(const PcpMapRequest& request) {
  auto bytes = PcpHeader(kOpMap, request.lifetime, request.internal.ip, kPcpMap);
  std::ranges::copy(request.nonce, bytes.begin() + 24);
  bytes[36] = kUdp;
  StoreBe(bytes, 40, request.internal.port);
  StoreBe(bytes, 42, request.suggested.port);
  StoreIp(MutableBytes(bytes).subspan(44, 16), request.suggested.ip);
  return bytes;
}

std::vector<std::uint8_t> MakePcpAnnounce(const IpAddress& client) {
  return PcpHeader(kOpAnnounce, 0, client, kPcpHeader);
}

std::vector<std::uint8_t> MakeNatPmpMap(std::uint16_t internal_port, std::uint16_t suggested,
                                        std::uint32_t lifetime) {
  std::vector<std::uint8_t> bytes(12);
  bytes[0] = kNatPmpVersion;
  bytes[1] = kOpMap;
  StoreBe(bytes, 4, internal_port);
  StoreBe(bytes, 6, suggested);
  StoreBe(bytes, 8, lifetime);
  return bytes;
}

std::vector<std::uint8_t> MakeNatPmpAddressRequest() {
  return {kNatPmpVersion, kOpAnnounce};
}

std::optional<Response> ParseResponse(Bytes datagram) {
  if (datagram.size() < 2) {
    return std::nullopt;
  }
  // RFC 6886 section 3.5: the answer to an unknown version has opcode 0, without the response bit.
  if (datagram[0] == kNatPmpVersion) {
    return ParseNatPmp(datagram);
  }
  if ((datagram[1] & kResponseBit) == 0) {
    return std::nullopt;
  }
  // A server of another version of PCP names its own in the answer; the layout stays.
  return ParsePcp(datagram);
}

}  // namespace floe::ice::portmap
