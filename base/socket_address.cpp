#include "base/socket_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <net/if.h>

#include "base/parse_number.h"

namespace floe {
namespace {

IpAddress Masked(const IpAddress& ip, std::uint8_t length) {
  IpAddress masked = ip;
  for (std::size_t i = 0; i < masked.bytes.size(); ++i) {
    const std::size_t bit = i * 8;
    if (bit >= length) {
      masked.bytes[i] = 0;
    } else if (length - bit < 8) {
      masked.bytes[i] =
          static_cast<std::uint8_t>(masked.bytes[i] & (0xFFU << (8U - (length - bit))));
    }
  }
  return masked;
}

}  // namespace

IpAddress IpAddress::V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return IpAddress{.family = IpFamily::kIpv4, .bytes = {a, b, c, d}};
}

IpAddress IpAddress::FromBytes(Bytes octets) {
  IpAddress ip{.family = octets.size() == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6};
  std::ranges::copy(octets, ip.bytes.begin());
  return ip;
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) {
    return bytes[0] == 127;
  }
  return bytes[15] == 1 &&
         std::ranges::all_of(Bytes(bytes).first(15), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes[0] & 0xF0U) == 0xE0U : bytes[0] == 0xFF;
}

bool IpAddress::is_broadcast() const {
  return is_v4() && std::ranges::all_of(octets(), [](std::uint8_t byte) { return byte == 0xFF; });
}

bool IpAddress::is_private() const {
  if (is_v6()) {
    return (bytes[0] & 0xFEU) == 0xFC;
  }
  return bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xF0U) == 16) ||
         (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 100 && (bytes[1] & 0xC0U) == 64);
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes[0] == 169 && bytes[1] == 254
                 : bytes[0] == 0xFE && (bytes[1] & 0xC0U) == 0x80U;
}

bool IpAddress::is_v4_mapped() const {
  return is_v6() && bytes[10] == 0xFF && bytes[11] == 0xFF &&
         std::ranges::all_of(Bytes(bytes).first(10), [](std::uint8_t byte) { return byte == 0; });
}

IpAddress IpAddress::Unmapped() const {
  return is_v4_mapped() ? FromBytes(Bytes(bytes).last(4)) : *this;
}

bool IpPrefix::Contains(const IpAddress& ip) const {
  return ip.family == address.family && Masked(ip, length).bytes == address.bytes;
}

bool IpPrefix::Overlaps(const IpPrefix& other) const {
  return length <= other.length ? Contains(other.address) : other.Contains(address);
}

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  IpAddress ip;
  const std::size_t percent = text.find('%');
  const std::string host(text.substr(0, percent));
  if (percent == std::string_view::npos && inet_pton(AF_INET, host.c_str(), ip.bytes.data()) == 1) {
    return ip;
  }
  ip.family = IpFamily::kIpv6;
  if (inet_pton(AF_INET6, host.c_str(), ip.bytes.data()) != 1) {
    return std::nullopt;
  }
  if (percent != std::string_view::npos) {
    const std::string zone(text.substr(percent + 1));
    const auto number = ParseNumber(zone, UINT32_MAX);
    ip.scope_id = number ? *number : if_nametoindex(zone.c_str());
    if (ip.scope_id == 0) {
      return std::nullopt;
    }
  }
  return ip;
}

std::optional<SocketAddress> ParseSocketAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const auto ip = ParseIpAddress(host);
  const auto port = ParseNumber(text.substr(colon + 1), UINT16_MAX);
  if (!ip || !port || ip->is_v6() != bracketed) {
    return std::nullopt;
  }
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

std::optional<IpPrefix> ParseIpPrefix(std::string_view text, IpAddress* host) {
  const std::size_t slash = text.find('/');
  const auto ip = ParseIpAddress(text.substr(0, slash));
  if (!ip) {
    return std::nullopt;
  }
  std::uint32_t length = ip->bits();
  if (slash != std::string_view::npos) {
    const auto parsed = ParseNumber(text.substr(slash + 1), ip->bits());
    if (!parsed) {
      return std::nullopt;
    }
    length = *parsed;
  }
  if (host != nullptr) {
    *host = *ip;
  }
  const auto bits = static_cast<std::uint8_t>(length);
  return IpPrefix{Masked(*ip, bits), bits};
}

std::string ToString(const IpAddress& ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(ip.is_v4() ? AF_INET : AF_INET6, ip.bytes.data(), text.data(), text.size());
  std::string result(text.data());
  if (ip.scope_id != 0) {
    result += '%' + std::to_string(ip.scope_id);
  }
  return result;
}

std::string ToString(const SocketAddress& address) {
  const std::string ip = ToString(address.ip);
  return (address.ip.is_v6() ? '[' + ip + ']' : ip) + ':' + std::to_string(address.port);
}

std::string ToString(const IpPrefix& prefix) {
  return ToString(prefix.address) + '/' + std::to_string(prefix.length);
}

}  // namespace floe
