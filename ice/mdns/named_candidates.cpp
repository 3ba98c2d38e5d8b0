#include "ice/mdns/named_candidates.h"

#include <algorithm>

#include "ice/mdns/message.h"

namespace floe::ice::mdns {

bool NamedCandidates::Add(std::uint32_t session, const Candidate& candidate) {
  const Waiting entry{.session = session, .candidate = candidate};
  if (std::ranges::find(waiting_, entry) != waiting_.end()) {
    return true;
  }
  if (waiting_.size() >= max_ || candidate.type != CandidateType::kHost ||
      !IsLocalName(candidate.name)) {
    return false;
  }
  waiting_.push_back(entry);
  return true;
}

std::vector<NamedCandidates::Waiting> NamedCandidates::Take(const Resolution& resolution) {
  std::vector<Waiting> found;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (waiting.candidate.name != resolution.name) {
      return false;
    }
    if (resolution.address) {
      waiting.candidate.name.clear();
      waiting.candidate.address.ip = *resolution.address;
      waiting.candidate.base = waiting.candidate.address;
      found.push_back(waiting);
    }
    return true;
  });
  return found;
}

}  // namespace floe::ice::mdns
