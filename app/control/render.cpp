#include "app/control/render.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <vector>

namespace floe::control {
namespace {

constexpr const char* kNothing = "-";
constexpr std::size_t kGap = 2;  // blanks between columns

using Row = std::vector<std::string>;

std::string Age(const std::optional<WallTime>& time, WallTime now) {
  return time ? RenderAge(now - *time) : kNothing;
}

std::string Rtt(const std::optional<double>& rtt_ms) {
  return rtt_ms ? RenderMilliseconds(*rtt_ms) : kNothing;
}

std::string Loss(const std::optional<double>& loss) {
  if (!loss) {
    return kNothing;
  }
  const double percent = *loss * 100;
  return percent > 0 && percent < 10 ? fmt::format("{:.1f}%", percent)
                                     : fmt::format("{:.0f}%", percent);
}

std::string State(const PeerStatus& peer, WallTime now) {
  const bool aged = peer.state == PeerState::kUp && peer.since;
  return aged ? fmt::format("up {}", Age(peer.since, now)) : std::string(ToString(peer.state));
}

template <typename T>
std::string Join(const std::vector<T>& values, const char* separator) {
  std::string text;
  for (const T& value : values) {
    text += (text.empty() ? "" : separator) + ToString(value);
  }
  return text.empty() ? kNothing : text;
}

/// The address to reach a peer at: the first of the single ones, else the first network.
std::string MainAddress(const PeerStatus& peer) {
  const auto single = [](const IpPrefix& prefix) { return prefix.length == prefix.address.bits(); };
  const auto found = std::ranges::find_if(peer.allowed_ips, single);
  if (found != peer.allowed_ips.end()) {
    return ToString(found->address);
  }
  return peer.allowed_ips.empty() ? kNothing : ToString(peer.allowed_ips.front());
}

/// Pads all columns but the last to the width of their longest cell.
std::string Align(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      text += fmt::format("{:<{}}", row[i], widths[i] + kGap);
    }
    text += row.back() + '\n';
  }
  return text;
}

std::string SelfLine(const Status& status, WallTime now) {
  const NodeStatus& node = status.node;
  std::string line = fmt::format("self  {}  {}", node.name, Join(node.addresses, "  "));
  if (node.since) {
    line += fmt::format("  up {}", Age(node.since, now));
  }
  line += fmt::format("  port: {}  nat: {}", node.listen_port, ToString(node.nat));
  for (const RendezvousStatus& server : status.rendezvous) {
    const bool connected = server.state == ServerState::kConnected;
    line += fmt::format("  rendezvous: {}", connected ? "ok" : ToString(server.state));
    if (connected && server.rtt_ms) {
      line += ' ' + Rtt(server.rtt_ms);
    }
  }
  return line + '\n';
}

Row PeerRow(const PeerStatus& peer, WallTime now) {
  std::string state = State(peer, now);
  if (peer.why_relayed) {
    state += "  ! relayed: " + *peer.why_relayed;
  }
  return {peer.name,
          MainAddress(peer),
          RenderPath(peer.path),
          Rtt(peer.path.rtt_ms),
          Loss(peer.path.loss),
          RenderBytes(peer.rx_bytes) + "/" + RenderBytes(peer.tx_bytes),
          Age(peer.latest_handshake, now),
          std::move(state)};
}

std::string PeerTable(const Status& status, WallTime now) {
  if (status.peers.empty()) {
    return "no peers\n";
  }
  std::vector<Row> rows = {{"PEER", "IP", "VIA", "RTT", "LOSS", "RX/TX", "LAST", "STATE"}};
  for (const PeerStatus& peer : status.peers) {
    rows.push_back(PeerRow(peer, now));
  }
  return Align(rows);
}

std::string Endpoint(const std::optional<ice::CandidateType>& type,
                     const std::optional<SocketAddress>& address) {
  const std::string text = address ? ToString(*address) : kNothing;
  return type ? fmt::format("{} {}", CandidateWord(*type), text) : text;
}

std::string PathDetail(const PathStatus& path, WallTime now) {
  if (path.kind == PathKind::kNone) {
    return "  path: none\n";
  }
  std::string text = fmt::format("  path: {}, {}, for {}\n", ToString(path.kind),
                                 ToString(path.transport), Age(path.since, now));
  text += fmt::format("  local: {}\n", Endpoint(path.local_type, path.local));
  text += fmt::format("  remote: {}\n", Endpoint(path.remote_type, path.remote));
  text += fmt::format("  quality: rtt {}, loss {}, mtu {}\n", Rtt(path.rtt_ms), Loss(path.loss),
                      path.mtu);
  if (const auto& probing = path.mtu_probing) {
    const auto plural = [](std::uint64_t count) { return count == 1 ? "" : "s"; };
    text += fmt::format("  mtu probing: {}, {} probe{}, {} black hole{}\n", probing->state,
                        probing->probes, plural(probing->probes), probing->black_holes,
                        plural(probing->black_holes));
  }
  return text;
}

std::string PeerDetail(const PeerStatus& peer, WallTime now) {
  std::string text = fmt::format("peer: {}\n", peer.name);
  text += fmt::format("  public key: {}\n", ToString(peer.public_key));
  text += fmt::format("  state: {}\n", State(peer, now));
  text += fmt::format("  allowed ips: {}\n", Join(peer.allowed_ips, ", "));
  if (peer.endpoint) {
    text += fmt::format("  endpoint: {}\n", *peer.endpoint);
  }
  text += PathDetail(peer.path, now);
  if (peer.why_relayed) {
    text += fmt::format("  relayed because: {}\n", *peer.why_relayed);
  }
  text += peer.latest_handshake
              ? fmt::format("  latest handshake: {} ago\n", Age(peer.latest_handshake, now))
              : "  latest handshake: none\n";
  text += fmt::format("  transfer: {} received, {} sent\n", RenderBytes(peer.rx_bytes),
                      RenderBytes(peer.tx_bytes));
  text += fmt::format("  time to connect: first path {}, direct {}\n", Rtt(peer.first_path_ms),
                      Rtt(peer.direct_ms));
  return text;
}

std::string MadeToFit(const TunnelStatus& tunnel) {
  return tunnel.fragmented == 0 && tunnel.clamped_mss == 0 && tunnel.too_big == 0
             ? ""
             : fmt::format("  made to fit: {} packets cut, {} SYNs clamped; {} sends too big\n",
                           tunnel.fragmented, tunnel.clamped_mss, tunnel.too_big);
}

std::string TunnelDetail(const TunnelStatus& tunnel) {
  std::string on;
  std::string off;
  for (const OffloadStatus& offload : tunnel.offloads) {
    if (offload.off_because) {
      off += fmt::format("  offload {}: off, {}\n", offload.name, *offload.off_because);
    } else {
      on += (on.empty() ? "" : ", ") + offload.name;
    }
  }
  std::string dropped;
  for (const DropStatus& drop : tunnel.drops) {
    dropped += fmt::format("{}{} {}", dropped.empty() ? "" : ", ", drop.count, drop.reason);
  }
  return (tunnel.cipher.empty() ? "" : fmt::format("  cipher: {}\n", tunnel.cipher)) +
         (on.empty() ? "" : fmt::format("  offloads: {}\n", on)) + off +
         (dropped.empty() ? "" : fmt::format("  dropped: {}\n", dropped)) + MadeToFit(tunnel);
}

std::string PeerDetails(const Status& status, WallTime now) {
  std::string text = fmt::format("  public key: {}\n", ToString(status.node.public_key));
  if (status.node.nat_mapping || status.node.nat_filtering) {
    text += fmt::format("  nat: mapping {}, filtering {}\n",
                        status.node.nat_mapping.value_or("unknown"),
                        status.node.nat_filtering.value_or("unknown"));
  }
  for (const PortMappingStatus& mapping : status.node.port_mappings) {
    text +=
        fmt::format("  port mapping: {} by {}\n",
                    mapping.external ? ToString(*mapping.external) : kNothing, mapping.protocol);
  }
  for (const RendezvousStatus& server : status.rendezvous) {
    text += fmt::format("  rendezvous: {} {}\n", server.url, ToString(server.state));
  }
  text += TunnelDetail(status.tunnel);
  for (const PeerStatus& peer : status.peers) {
    text += '\n' + PeerDetail(peer, now);
  }
  return text;
}

}  // namespace

std::string RenderAge(Duration age) {
  using std::chrono::seconds;
  const auto whole = std::max<std::int64_t>(0, std::chrono::floor<seconds>(age).count());
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const auto with = [](std::int64_t large, const char* unit, std::int64_t small,
                       const char* small_unit) {
    return small == 0 ? fmt::format("{}{}", large, unit)
                      : fmt::format("{}{}{}{}", large, unit, small, small_unit);
  };
  if (whole >= kDay) {
    return with(whole / kDay, "d", whole % kDay / kHour, "h");
  }
  if (whole >= kHour) {
    return with(whole / kHour, "h", whole % kHour / kMinute, "m");
  }
  if (whole >= kMinute) {
    return with(whole / kMinute, "m", whole % kMinute, "s");
  }
  return fmt::format("{}s", whole);
}

std::string RenderBytes(std::uint64_t count) {
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (count < 1024) {
    return fmt::format("{} B", count);
  }
  double amount = static_cast<double>(count) / 1024;
  std::size_t unit = 0;
  // From 1023.5 on it would be written as 1024.
  while (amount >= 1023.5 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", amount, amount < 9.95 ? 1 : 0, kUnits.at(unit));
}

std::string RenderMilliseconds(double milliseconds) {
  return fmt::format("{:.{}f}ms", milliseconds, milliseconds < 9.95 ? 1 : 0);
}

std::string RenderPath(const PathStatus& path) {
  if (path.kind == PathKind::kNone) {
    return kNothing;
  }
  if (path.kind == PathKind::kRelay) {
    // Our own relay, if we use one, else the peer's.
    const bool ours = path.local_type == ice::CandidateType::kRelayed;
    const auto& relay = ours ? path.local : path.remote;
    return fmt::format("relay {} (turn/{})", relay ? ToString(*relay) : kNothing,
                       ToString(path.transport));
  }
  const std::string remote = path.remote ? ToString(*path.remote) : kNothing;
  if (!path.remote_type) {
    return "direct " + remote;
  }
  return fmt::format("direct {} ({})", remote, CandidateWord(*path.remote_type));
}

std::string RenderReload(const ReloadReply& reply) {
  std::string text;
  const auto add = [&](std::uint32_t count, const char* what) {
    if (count == 0) {
      return;
    }
    if (text.empty()) {
      text = fmt::format("{} {} {}", count, count == 1 ? "peer" : "peers", what);
    } else {
      text += fmt::format(", {} {}", count, what);
    }
  };
  add(reply.added, "added");
  add(reply.removed, "removed");
  add(reply.changed, "changed");
  if (!reply.settings.empty()) {
    text += fmt::format("{}changed: {}", text.empty() ? "" : "; ", fmt::join(reply.settings, ", "));
  }
  return text.empty() ? "nothing has changed" : text;
}

std::string RenderStatus(const Status& status, WallTime now, Detail detail) {
  std::string text = SelfLine(status, now);
  text += detail == Detail::kFull ? PeerDetails(status, now) : PeerTable(status, now);
  for (const std::string& line : status.health) {
    text += (&line == &status.health.front() ? "\n! " : "! ") + line + '\n';
  }
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == 0x7F; }, '?');
  return text;
}

}  // namespace floe::control
