// A stateful firewall: nothing comes in that was not asked for. Translates nothing.

#pragma once

#include <chrono>
#include <vector>

#include "base/socket_address.h"
#include "base/time.h"

namespace floe::sim {

struct FirewallOptions {
  Duration timeout = std::chrono::seconds(120);
  Duration unanswered_timeout = std::chrono::seconds(30);  // if shorter than `timeout`
};

class Firewall {
 public:
  explicit Firewall(const FirewallOptions& options) : options_(options) {}

  /// A packet went out: answers may come in until the flow times out.
  void NoteOut(TimePoint now, const SocketAddress& inside, const SocketAddress& remote);

  /// Whether a packet may come in; if so, it keeps its flow alive.
  [[nodiscard]] bool AllowsIn(TimePoint now, const SocketAddress& inside,
                              const SocketAddress& remote);

  void Reset() { flows_.clear(); }

 private:
  struct Entry {
    SocketAddress inside;
    SocketAddress remote;
    TimePoint expires;
    bool answered = false;
  };

  [[nodiscard]] Entry* Find(TimePoint now, const SocketAddress& inside,
                            const SocketAddress& remote);

  FirewallOptions options_;
  std::vector<Entry> flows_;
};

}  // namespace floe::sim
