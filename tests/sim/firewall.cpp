#include "tests/sim/firewall.h"

#include <algorithm>

namespace floe::sim {

Firewall::Entry* Firewall::Find(TimePoint now, const SocketAddress& inside,
                                const SocketAddress& remote) {
  std::erase_if(flows_, [&](const Entry& entry) { return entry.expires <= now; });
  const auto found = std::ranges::find_if(
      flows_, [&](const Entry& entry) { return entry.inside == inside && entry.remote == remote; });
  return found == flows_.end() ? nullptr : &*found;
}

void Firewall::NoteOut(TimePoint now, const SocketAddress& inside, const SocketAddress& remote) {
  Entry* entry = Find(now, inside, remote);
  if (entry == nullptr) {
    entry = &flows_.emplace_back(Entry{.inside = inside, .remote = remote});
  }
  const Duration life =
      entry->answered ? options_.timeout : std::min(options_.timeout, options_.unanswered_timeout);
  entry->expires = now + life;
}

bool Firewall::AllowsIn(TimePoint now, const SocketAddress& inside, const SocketAddress& remote) {
  Entry* entry = Find(now, inside, remote);
  if (entry == nullptr) {
    return false;
  }
  entry->answered = true;
  entry->expires = now + options_.timeout;
  return true;
}

}  // namespace floe::sim
