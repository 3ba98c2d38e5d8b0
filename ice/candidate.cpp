#include "ice/candidate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/parse_number.h"

namespace floe::ice {
namespace {

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

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::vector<std::string_view> SplitFields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!line.empty() && fields.size() < kMaxFields) {
    const std::size_t space = std::min(line.find(' '), line.size());
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

}  // namespace

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
      return "a transport other than UDP";
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
  if (line.starts_with(kPrefix)) {
    line.remove_prefix(kPrefix.size());
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
  if (!EqualsIgnoringCase(fields[2], "udp")) {
    return Fail(CandidateError::kTransport);
  }
  if (*component != 1) {
    return Fail(CandidateError::kComponent);
  }
  const auto type = ParseType(fields[7]);
  if (!type) {
    return Fail(CandidateError::kType);
  }
  const auto ip = ParseIpAddress(fields[4]);
  const SocketAddress address{ip.value_or(IpAddress{}), static_cast<std::uint16_t>(*port)};
  if (!ip || !IsUsableRemote(address)) {
    return Fail(CandidateError::kAddress);
  }
  return Candidate{.type = *type,
                   .address = address,
                   .base = address,
                   .priority = *priority,
                   .foundation = std::string(fields[0]),
                   .related = ParseRelated(fields, 8)};
}

std::string ToLine(const Candidate& candidate) {
  IpAddress ip = candidate.address.ip;
  ip.scope_id = 0;  // A zone means nothing on another machine.
  std::string line = std::string(kPrefix) + candidate.foundation + " 1 UDP " +
                     std::to_string(candidate.priority) + ' ' + ToString(ip) + ' ' +
                     std::to_string(candidate.address.port) + " typ " +
                     std::string(ToString(candidate.type));
  if (candidate.related) {
    line += " raddr " + ToString(candidate.related->ip) + " rport " +
            std::to_string(candidate.related->port);
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

std::string ComputeFoundation(CandidateType type, const IpAddress& base,
                              const std::optional<IpAddress>& server) {
  // FNV-1a over what the section lists.
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
  const auto mix = [&hash](Bytes bytes) {
    for (const std::uint8_t byte : bytes) {
      hash = (hash ^ byte) * 0x100'0000'01B3;
    }
  };
  const std::array<std::uint8_t, 1> kind{static_cast<std::uint8_t>(type)};
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
