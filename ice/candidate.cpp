#include "ice/candidate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/parse_number.h"

namespace floe::ice {
namespace {

constexpr std::string_view kAttribute = "a=";
constexpr std::string_view kPrefix = "candidate:";
constexpr std::size_t kMaxFields = 64;  // A line with more is refused: nobody sends one.

std::optional<CandidateType> ParseType(std::string_view text) {
  for (const auto type : {CandidateType::kHost, CandidateType::kServerReflexive,
                          CandidateType::kPeerReflexive, CandidateType::kRelayed}) {
    if (text == ToString(type)) {
      return type;
    }
  }
  return std::nullopt;
}

bool IsIceChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

std::optional<TcpType> ParseTcpType(std::string_view text) {
  for (const auto type : {TcpType::kActive, TcpType::kPassive, TcpType::kSimultaneousOpen}) {
    if (text == ToString(type)) {
      return type;
    }
  }
  return std::nullopt;
}

/// A host name of RFC 1123 with a dot and a letter in it.
bool IsName(std::string_view text) {
  constexpr std::size_t kMaxName = 253;
  const auto letter = [](unsigned char c) { return std::isalpha(c) != 0 && c < 0x80; };
  return text.size() <= kMaxName && text.find('.') != std::string_view::npos &&
         text.front() != '.' && std::ranges::any_of(text, letter) &&
         std::ranges::all_of(text, [&](unsigned char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::vector<std::string_view> SplitFields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!line.empty() && fields.size() < kMaxFields) {
    const std::size_t space = std::min(line.find_first_of(" \t\r\n"), line.size());
    if (space > 0) {
      fields.push_back(line.substr(0, space));
    }
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return fields;
}

/// "raddr A rport P" at fields[at]; nothing if it is not there or is hidden (RFC 8839: 0.0.0.0 9).
std::optional<SocketAddress> ParseRelated(const std::vector<std::string_view>& fields,
                                          std::size_t at) {
  if (fields.size() < at + 4 || fields[at] != "raddr" || fields[at + 2] != "rport") {
    return std::nullopt;
  }
  const auto ip = ParseIpAddress(fields[at + 1]);
  const auto port = ParseNumber(fields[at + 3], UINT16_MAX);
  if (!ip || !port || ip->is_unspecified()) {
    return std::nullopt;
  }
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

/// The value behind the first extension of this name at fields[at] or later, or nothing.
std::optional<std::string_view> FindExtension(const std::vector<std::string_view>& fields,
                                              std::size_t at, std::string_view name) {
  for (; at + 1 < fields.size(); at += 2) {
    if (fields[at] == name) {
      return fields[at + 1];
    }
  }
  return std::nullopt;
}

/// The transport, and for TCP which end; nothing if either is unknown. RFC 6544 section 4.5.
std::optional<Transport> ParseTransport(const std::vector<std::string_view>& fields,
                                        std::optional<TcpType>& tcp_type) {
  if (EqualsIgnoringCase(fields[2], "udp")) {
    return Transport::kUdp;
  }
  const auto told = FindExtension(fields, 8, "tcptype");
  tcp_type = told ? ParseTcpType(*told) : std::nullopt;
  return EqualsIgnoringCase(fields[2], "tcp") && tcp_type ? std::optional(Transport::kTcp)
                                                          : std::nullopt;
}

}  // namespace

std::string_view ToString(TcpType type) {
  switch (type) {
    case TcpType::kActive:
      return "active";
    case TcpType::kPassive:
      return "passive";
    case TcpType::kSimultaneousOpen:
      return "so";
  }
  return "unknown";
}

std::string_view ToString(CandidateType type) {
  switch (type) {
    case CandidateType::kHost:
      return "host";
    case CandidateType::kServerReflexive:
      return "srflx";
    case CandidateType::kPeerReflexive:
      return "prflx";
    case CandidateType::kRelayed:
      return "relay";
  }
  return "unknown";
}

std::string_view ToString(CandidateError error) {
  switch (error) {
    case CandidateError::kSyntax:
      return "not a candidate line";
    case CandidateError::kTransport:
      return "an unknown transport";
    case CandidateError::kComponent:
      return "a component other than 1";
    case CandidateError::kType:
      return "an unknown candidate type";
    case CandidateError::kAddress:
      return "an address that cannot be used";
  }
  return "unknown candidate error";
}

Result<Candidate, CandidateError> ParseCandidate(std::string_view line) {
  for (const std::string_view prefix : {kAttribute, kPrefix}) {
    if (line.starts_with(prefix)) {
      line.remove_prefix(prefix.size());
    }
  }
  // foundation component transport priority address port "typ" type
  const std::vector<std::string_view> fields = SplitFields(line);
  if (fields.size() < 8 || fields[6] != "typ") {
    return Fail(CandidateError::kSyntax);
  }
  const auto component = ParseNumber(fields[1], 256);
  const auto priority = ParseNumber(fields[3], INT32_MAX);
  const auto port = ParseNumber(fields[5], UINT16_MAX);
  if (fields[0].size() > 32 || !std::ranges::all_of(fields[0], IsIceChar) || !component ||
      *component == 0 || !priority || *priority == 0 || !port) {
    return Fail(CandidateError::kSyntax);
  }
  Candidate candidate{.priority = *priority, .foundation = std::string(fields[0])};
  const auto transport = ParseTransport(fields, candidate.tcp_type);
  if (!transport) {
    return Fail(CandidateError::kTransport);
  }
  if (*component != 1) {
    return Fail(CandidateError::kComponent);
  }
  const auto type = ParseType(fields[7]);
  if (!type) {
    return Fail(CandidateError::kType);
  }
  candidate.type = *type;
  candidate.address = {IpAddress{}, static_cast<std::uint16_t>(*port), *transport};
  if (candidate.tcp_type == TcpType::kActive) {
    candidate.address.port = kActivePort;  // Which it is, says nothing.
  }
  const auto ip = ParseIpAddress(fields[4]);
  candidate.address.ip = ip.value_or(IpAddress{});
  if (!ip && IsName(fields[4]) && candidate.address.port != 0) {
    candidate.name = fields[4];
  } else if (!ip || !IsUsableRemote(candidate.address)) {
    return Fail(CandidateError::kAddress);
  }
  candidate.base = candidate.address;
  candidate.related = ParseRelated(fields, 8);
  return candidate;
}

std::string ToLine(const Candidate& candidate) {
  IpAddress ip = candidate.address.ip;
  ip.scope_id = 0;  // A zone means nothing on another machine.
  const bool tcp = candidate.address.transport == Transport::kTcp;
  std::string line = std::string(kPrefix) + candidate.foundation + (tcp ? " 1 TCP " : " 1 UDP ") +
                     std::to_string(candidate.priority) + ' ' +
                     (candidate.name.empty() ? ToString(ip) : candidate.name) + ' ' +
                     std::to_string(candidate.address.port) + " typ " +
                     std::string(ToString(candidate.type));
  if (candidate.related) {
    line += " raddr " + ToString(candidate.related->ip) + " rport " +
            std::to_string(candidate.related->port);
  } else if (candidate.type != CandidateType::kHost) {
    line += ip.is_v4() ? " raddr 0.0.0.0 rport 9" : " raddr :: rport 9";
  }
  if (candidate.tcp_type) {
    line += " tcptype " + std::string(ToString(*candidate.tcp_type));
  }
  return line;
}

std::uint32_t ComputePriority(CandidateType type, std::uint16_t local_preference) {
  std::uint32_t type_preference = 0;
  switch (type) {  // RFC 8445 section 5.1.2.2
    case CandidateType::kHost:
      type_preference = 126;
      break;
    case CandidateType::kPeerReflexive:
      type_preference = 110;
      break;
    case CandidateType::kServerReflexive:
      type_preference = 100;
      break;
    case CandidateType::kRelayed:
      type_preference = 0;
      break;
  }
  return (type_preference << 24U) + (std::uint32_t{local_preference} << 8U) + (256U - 1U);
}

std::uint32_t ComputeTcpPriority(CandidateType type, TcpType tcp_type,
                                 std::uint16_t other_preference) {
  constexpr std::uint32_t kHighestOther = (1U << 13U) - 1;
  // RFC 6544 section 4.2 leaves the type's preference open, but for that UDP's is to be higher.
  std::uint32_t type_preference = 0;
  bool opens_nats = false;  // Then both ends opening at once works best.
  switch (type) {
    case CandidateType::kHost:
      type_preference = 90;
      break;
    case CandidateType::kPeerReflexive:
      type_preference = 80;
      opens_nats = true;
      break;
    case CandidateType::kServerReflexive:
      type_preference = 70;
      opens_nats = true;
      break;
    case CandidateType::kRelayed:
      break;
  }
  std::uint32_t direction = 0;
  switch (tcp_type) {
    case TcpType::kActive:
      direction = opens_nats ? 4 : 6;
      break;
    case TcpType::kPassive:
      direction = opens_nats ? 2 : 4;
      break;
    case TcpType::kSimultaneousOpen:
      direction = opens_nats ? 6 : 2;
      break;
  }
  const std::uint32_t local =
      (direction << 13U) + std::min(std::uint32_t{other_preference}, kHighestOther);
  return (type_preference << 24U) + (local << 8U) + (256U - 1U);
}

std::string ComputeFoundation(CandidateType type, const IpAddress& base,
                              const std::optional<IpAddress>& server, Transport transport) {
  // FNV-1a over what the section lists.
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
  const auto mix = [&hash](Bytes bytes) {
    for (const std::uint8_t byte : bytes) {
      hash = (hash ^ byte) * 0x100'0000'01B3;
    }
  };
  const std::array<std::uint8_t, 2> kind{static_cast<std::uint8_t>(type),
                                         static_cast<std::uint8_t>(transport)};
  mix(kind);
  mix(base.octets());
  if (server) {
    mix(server->octets());
  }
  return std::to_string(static_cast<std::uint32_t>(hash ^ (hash >> 32U)));
}

bool IsUsableRemote(const SocketAddress& address) {
  const IpAddress& ip = address.ip;
  return address.port != 0 && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() &&
         !ip.is_broadcast() && !ip.is_v4_mapped();
}

}  // namespace floe::ice
