#include "ice/driver/tcp_flows.h"

#include <algorithm>
#include <system_error>

#include "base/log.h"
#include "ice/candidate.h"
#include "ice/stun/message.h"

namespace floe::ice {
namespace {

using std::chrono::seconds;

constexpr Duration kConnectTimeout = seconds(10);
constexpr Duration kUnansweredLifetime = seconds(10);
// What may wait in the kernel's and libuv's queues, where it can be dropped no more.
constexpr std::size_t kMaxWriting = 32UL * 1024;  // bytes

SocketAddress OverTcp(SocketAddress address) {
  address.transport = Transport::kTcp;
  return address;
}

}  // namespace

TcpFlows::TcpFlows(uv::Loop& loop, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)), sweep_(loop, [this] { CloseIdle(); }) {}

Result<SocketAddress> TcpFlows::Listen(const IpAddress& ip) {
  auto local = std::make_shared<SocketAddress>();
  auto listener = uv::Listener::ListenTcp(
      loop_, {ip, 0},
      [this, local](std::unique_ptr<uv::Stream> stream) { Accept(*local, std::move(stream)); });
  if (!listener) {
    return Fail(std::move(listener.error()));
  }
  const auto bound = (*listener)->local_address();
  if (!bound) {
    return bound;
  }
  *local = OverTcp({ip, bound->port});
  listeners_.push_back(std::move(*listener));
  return *local;
}

std::size_t TcpFlows::Count(bool accepted) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      flows_, [&](const auto& entry) { return entry.second->accepted == accepted; }));
}

bool TcpFlows::Send(const SocketAddress& local, const SocketAddress& remote, Bytes packet) {
  const Name name{local, remote};
  auto found = flows_.find(name);
  if (found == flows_.end()) {
    if (local.port != kActivePort || Count(/*accepted=*/false) == kMaxConnected) {
      return false;
    }
    auto flow = std::make_unique<Flow>();
    if (!Connect(name, *flow)) {
      return false;
    }
    found = flows_.emplace(name, std::move(flow)).first;
    Start(name, *found->second);
  }
  Flow& flow = *found->second;
  flow.answered = true;
  const auto kind = stun::MessageView::Parse(packet) ? tcp::FrameQueue::Kind::kStun
                                                     : tcp::FrameQueue::Kind::kData;
  if (!flow.queue.Push(packet, kind)) {
    flows_.erase(found);
    return false;
  }
  Pump(flow);
  return true;
}

bool TcpFlows::Connect(const Name& name, Flow& flow) {
  flow.opened = uv::Loop::Now();
  auto stream = uv::Stream::ConnectTcp(loop_, name.second, flow.opened + kConnectTimeout,
                                       /*fwmark=*/0, &name.first.ip);
  if (!stream) {
    log::Debug("{}: {}", stream.error().context, stream.error().code.message());
    return false;
  }
  flow.stream = std::move(*stream);
  flow.deframer = {};
  return true;
}

void TcpFlows::Accept(const SocketAddress& local, std::unique_ptr<uv::Stream> stream) {
  const auto remote = stream->remote_address();
  if (!remote || Count(/*accepted=*/true) == kMaxAccepted) {
    return;
  }
  const Name name{local, OverTcp(*remote)};
  auto flow = std::make_unique<Flow>();
  flow->stream = std::move(stream);
  flow->accepted = true;
  flow->opened = uv::Loop::Now();
  Flow& started = *(flows_[name] = std::move(flow));
  Start(name, started);
  sweep_.ArmAt(uv::Loop::Now() + kUnansweredLifetime);
}

void TcpFlows::Start(const Name& name, Flow& flow) {
  flow.stream->Start({.on_connect = [this, &flow] { Pump(flow); },
                      .on_data = [this, name](Bytes bytes) { HandleData(name, bytes); },
                      .on_drain = [this, &flow] { Pump(flow); },
                      .on_close =
                          [this, name](uv::CloseReason reason, const Error& error) {
                            HandleClose(name, reason == uv::CloseReason::kFailed ||
                                                  error.code == std::errc::connection_reset);
                          }});
}

void TcpFlows::HandleData(const Name& name, Bytes bytes) {
  // An answer to a packet may end the flow, so it is looked up for each.
  auto found = flows_.find(name);
  if (found == flows_.end()) {
    return;
  }
  found->second->deframer.Feed(bytes);
  const Flow* const flow = found->second.get();
  while (found != flows_.end() && found->second.get() == flow) {
    const auto packet = found->second->deframer.Poll();
    if (!packet) {
      return;
    }
    const std::vector<std::uint8_t> copy(packet->begin(), packet->end());
    handlers_.on_packet(name.first, name.second, copy);
    found = flows_.find(name);
  }
}

void TcpFlows::HandleClose(const Name& name, bool reset) {
  const auto found = flows_.find(name);
  if (found == flows_.end()) {
    return;
  }
  Flow& flow = *found->second;
  const bool again = reset && !flow.accepted && !flow.reconnected;
  flow.reconnected = true;
  if (again && Connect(name, flow)) {
    Start(name, flow);
    return;
  }
  flows_.erase(found);
  handlers_.on_gone(name.first, name.second);
}

void TcpFlows::Pump(Flow& flow) {
  if (flow.stream->state() != uv::Stream::State::kOpen) {
    return;
  }
  while (flow.stream->write_queue_size() < kMaxWriting) {
    const auto frame = flow.queue.Pop();
    if (!frame) {
      return;
    }
    flow.stream->Write(*frame);
  }
}

/// A connection on which nobody has proved to be the peer within ten seconds is not for us.
void TcpFlows::CloseIdle() {
  const TimePoint now = uv::Loop::Now();
  bool more = false;
  std::erase_if(flows_, [&](const auto& entry) {
    const Flow& flow = *entry.second;
    const bool idle = flow.accepted && !flow.answered;
    more = more || (idle && now - flow.opened < kUnansweredLifetime);
    return idle && now - flow.opened >= kUnansweredLifetime;
  });
  if (more) {
    sweep_.ArmAt(now + seconds(1));
  }
}

}  // namespace floe::ice
