#include "tests/sim/engine_node.h"

#include <algorithm>
#include <utility>

#include "ice/path_choice.h"

namespace floe::sim {
namespace {

/// What a kernel would answer to this packet: an echo reply, or nothing. The checksum is that of
/// the request with the type taken out of it (RFC 1624).
std::optional<std::vector<std::uint8_t>> AnswerPing(Bytes packet) {
  const bool v4 = packet.size() >= 28 && packet[0] == 0x45 && packet[9] == 1;
  const bool v6 = packet.size() >= 48 && packet[0] >> 4U == 6 && packet[6] == 58;
  const std::size_t header = v4 ? 20 : 40;
  if ((!v4 && !v6) || packet[header] != (v4 ? 8 : 128)) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> answer(packet.begin(), packet.end());
  const std::ptrdiff_t source = v4 ? 12 : 8;
  const std::ptrdiff_t size = v4 ? 4 : 16;
  std::swap_ranges(answer.begin() + source, answer.begin() + source + size,
                   answer.begin() + source + size);
  answer[header] = v4 ? 0 : 129;
  const std::uint32_t sum = LoadBe<std::uint16_t>(answer, header + 2) + (v4 ? 0x0800U : 0xFEFFU);
  StoreBe(answer, header + 2, static_cast<std::uint16_t>((sum & 0xFFFFU) + (sum >> 16U)));
  return answer;
}

}  // namespace

EngineNode::EngineNode(TimePoint now, std::chrono::nanoseconds unix_time,
                       engine::EngineConfig config, RandomSource& random)
    : engine_(std::make_unique<engine::Engine>(now, unix_time, std::move(config), random)) {}

void EngineNode::HandleDatagram(TimePoint now, const SocketAddress& local,
                                const SocketAddress& remote, Bytes datagram) {
  engine_->HandleDatagram(now, local, remote, datagram);
  Absorb(now);
}

void EngineNode::HandleTimeout(TimePoint now) {
  engine_->HandleTimeout(now);
  Absorb(now);
}

std::optional<TimePoint> EngineNode::NextTimeout() const {
  return engine_->NextTimeout();
}

std::optional<Node::Transmit> EngineNode::PollTransmit() {
  auto transmit = engine_->PollTransmit();
  if (!transmit) {
    return std::nullopt;
  }
  return Transmit{transmit->local, transmit->remote, std::move(transmit->payload)};
}

void EngineNode::HandleAddresses(TimePoint now, std::span<const IpAddress> addresses) {
  std::vector<SocketAddress> sockets;
  for (const IpAddress& ip : addresses) {
    sockets.push_back({ip, kPort});
  }
  engine_->SetLocalAddresses(now, sockets);
  if (!std::exchange(started_, true)) {
    engine_->Start(now);
  } else {
    engine_->HandleNetworkChange(now);
  }
  Absorb(now);
}

void EngineNode::HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& /*remote*/) {
  engine_->HandleStreamOpened(now, streams_.at(id));
  Absorb(now);
}

void EngineNode::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  engine_->HandleStreamBytes(now, streams_.at(id), bytes);
  Absorb(now);
}

void EngineNode::HandleStreamClosed(TimePoint now, StreamId id) {
  engine_->HandleStreamClosed(now, streams_.at(id), "closed");
  Absorb(now);
}

std::optional<Node::StreamAction> EngineNode::PollStream() {
  if (stream_actions_.empty()) {
    return std::nullopt;
  }
  StreamAction action = std::move(stream_actions_.front());
  stream_actions_.pop_front();
  return action;
}

void EngineNode::Absorb(TimePoint now) {
  bool busy = true;
  while (busy) {
    busy = false;
    while (auto action = engine_->PollAction()) {
      TakeAction(now, std::move(*action));
      busy = true;
    }
    while (const auto packet = engine_->PollPacket()) {
      if (const auto answer = AnswerPing(*packet)) {
        engine_->HandlePacket(now, *answer);
      }
      busy = true;
    }
    while (const auto pong = engine_->PollPong()) {
      ++pongs_;
      ++pongs_from_[pong->peer];
    }
    while (engine_->PollNotice()) {
    }
  }
}

void EngineNode::TakeAction(TimePoint now, engine::Action action) {
  if (const auto* open = std::get_if<engine::OpenStream>(&action)) {
    const StreamId id = next_stream_++;
    streams_[id] = open->id;
    open_[open->id] = id;
    stream_actions_.emplace_back(OpenStream{id, {*ParseIpAddress(open->url.host), open->url.port}});
  } else if (auto* write = std::get_if<engine::WriteStream>(&action)) {
    stream_actions_.emplace_back(WriteStream{open_.at(write->id), std::move(write->bytes)});
  } else if (const auto* close = std::get_if<engine::CloseStream>(&action)) {
    stream_actions_.emplace_back(CloseStream{open_.at(close->id)});
  } else if (const auto* wanted = std::get_if<engine::OpenSockets>(&action)) {
    std::vector<SocketAddress> opened;
    for (std::size_t i = 0; i < wanted->count; ++i) {
      opened.push_back({wanted->ip, next_socket_++});
      open_sockets_.insert(opened.back());
    }
    most_sockets_ = std::max(most_sockets_, open_sockets_.size());
    engine_->SetProbeSockets(now, wanted->peer, std::move(opened));
  } else if (const auto* closed = std::get_if<engine::CloseSockets>(&action)) {
    for (const SocketAddress& socket : closed->sockets) {
      open_sockets_.erase(socket);
    }
  } else if (const auto* resolve = std::get_if<engine::ResolveServers>(&action)) {
    // Everything here is numeric: "stun:192.0.2.1:3478", "turn:192.0.2.1:3478?transport=udp".
    engine::Servers servers;
    for (const std::string& url : resolve->welcome.stun) {
      servers.stun.push_back(*ParseSocketAddress(url.substr(5)));
    }
    for (const signaling::TurnCredentials& turn : resolve->welcome.turn) {
      for (const std::string& url : turn.urls) {
        servers.relays.push_back({.address = *ParseSocketAddress(url.substr(5, url.find('?') - 5)),
                                  .username = turn.username,
                                  .password = turn.password.Clone()});
      }
    }
    engine_->SetOfferedServers(now, resolve->id, std::move(servers));
  }
}

std::optional<bool> EngineNode::IsDirect(engine::PeerId peer) const {
  const auto& path = engine_->link(peer).path();
  if (!path || !engine_->IsUp(peer)) {
    return std::nullopt;
  }
  return ice::IsDirect(path->tier());
}

}  // namespace floe::sim
