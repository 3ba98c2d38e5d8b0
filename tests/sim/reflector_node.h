// A server that says from where it was asked, for tests of what NATs do. Not STUN, but the same
// questions: RFC 5780 section 7.2.

#pragma once

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "tests/sim/scripted_node.h"

namespace floe::sim {

/// Answers a datagram with the text of its source address. Those in the request's text are changed:
/// "ip" answers from the host's other address of the family, "port" from the next port.
class ReflectorNode final : public ScriptedNode {
 public:
  static constexpr std::uint16_t kPort = 3478;

  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram) override {
    ScriptedNode::HandleDatagram(now, local, remote, datagram);
    const std::string_view request = AsText(datagram);
    SocketAddress from = local;
    if (request.find("ip") != std::string_view::npos) {
      from.ip = Other(local.ip);
    }
    if (request.find("port") != std::string_view::npos) {
      from.port = static_cast<std::uint16_t>(local.port + 1);
    }
    Send(from, remote, ToString(remote));
  }

 private:
  [[nodiscard]] IpAddress Other(const IpAddress& ip) const {
    const auto found = std::ranges::find_if(
        addresses, [&](const IpAddress& own) { return own.family == ip.family && own != ip; });
    FLOE_CHECK(found != addresses.end());
    return *found;
  }
};

}  // namespace floe::sim
