// The part of Gatherer that offers connections.
//
// Source: RFC 6544 sections 4.1 and 5.1.

#include <algorithm>
#include <array>
#include <utility>

#include "ice/gatherer.h"
#include "ice/interleave.h"

namespace floe::ice {
namespace {

constexpr std::uint16_t kMaxPreference = 8191;  // RFC 6544 section 4.2

Candidate MakeTcpHost(SocketAddress base, TcpType type, std::uint16_t preference) {
  base.transport = Transport::kTcp;
  if (type == TcpType::kActive) {
    base.port = kActivePort;
  }
  return {
      .type = CandidateType::kHost,
      .address = base,
      .base = base,
      .priority = ComputeTcpPriority(CandidateType::kHost, type, preference),
      .foundation = ComputeFoundation(CandidateType::kHost, base.ip, std::nullopt, Transport::kTcp),
      .tcp_type = type};
}

}  // namespace

void Gatherer::SetTcpAddresses(const std::vector<SocketAddress>& passive,
                               const std::vector<SocketAddress>& simultaneous) {
  std::vector<Candidate> wanted;
  std::uint16_t preference = kMaxPreference;
  const auto add = [&](const std::vector<SocketAddress>& addresses, auto types) {
    for (const SocketAddress& address : InterleaveFamilies(addresses)) {
      for (const TcpType type : types) {
        wanted.push_back(MakeTcpHost(address, type, preference));
      }
      --preference;
    }
  };
  add(passive, std::array{TcpType::kActive, TcpType::kPassive});
  add(simultaneous, std::array{TcpType::kSimultaneousOpen});
  for (const Candidate& known : std::vector<Candidate>(candidates_)) {
    const bool tcp = known.address.transport == Transport::kTcp;
    if (tcp && std::ranges::find(wanted, known.base, &Candidate::base) == wanted.end()) {
      RemoveCandidates(known.base);
    }
  }
  for (Candidate& candidate : wanted) {
    AddCandidate(std::move(candidate));
  }
}

}  // namespace floe::ice
