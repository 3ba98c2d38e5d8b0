// Candidates of peers that are told by a name, until its address is known.
//
// Source: draft-ietf-mmusic-mdns-ice-candidates section 3.2.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ice/candidate.h"
#include "ice/mdns/resolver.h"

namespace floe::ice::mdns {

/// A list that is bounded, for a peer sends what is in it.
class NamedCandidates {
 public:
  struct Waiting {
    std::uint32_t session = 0;  // The owner's number for what the candidate belongs to.
    Candidate candidate;

    bool operator==(const Waiting&) const = default;
  };

  explicit NamedCandidates(std::size_t max) : max_(max) {}

  /// False if its name is not to be asked for: only those of the local network are, of addresses of
  /// the peer's own, and only so many. The owner asks for the name otherwise.
  [[nodiscard]] bool Add(std::uint32_t session, const Candidate& candidate);

  /// Those that waited for this name, with the address that was found; none if none was.
  [[nodiscard]] std::vector<Waiting> Take(const Resolution& resolution);

 private:
  std::size_t max_;
  std::vector<Waiting> waiting_;
};

}  // namespace floe::ice::mdns
