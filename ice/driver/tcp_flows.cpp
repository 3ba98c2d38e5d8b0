#include "ice/driver/tcp_flows.h"

#include <algorithm>
#include <system_error>

#include "base/log.h"
#include "ice/candidate.h"
#include "ice/stun/message.h"

namespace floe::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kConnectTimeout = seconds(10);
constexpr Duration kStrangerLifetime = seconds(10);
// Longer than what any path in use or kept warm is silent for.
constexpr Duration kIdle = seconds(60);
// Both ends begin when they are told of each other, which is not at the same moment.
constexpr Duration kSimultaneousGap = milliseconds(200);
constexpr Duration kSweepGap = seconds(1);
// What may wait in libuv's queue, where it can be dropped no more.
constexpr std::size_t kMaxWriting = 32UL * 1024;  // bytes

SocketAddress OverTcp(SocketAddress address) {
  address.transport = Transport::kTcp;
  return address;
}

/// Who has one address has its whole network, in IPv6.
bool AreOfOneSource(const IpAddress& a, const IpAddress& b) {
  constexpr std::size_t kNetwork = 8;  // bytes of a /64
  return a.family == b.family &&
         (a.is_v4() ? a.bytes == b.bytes
                    : std::ranges::equal(a.octets().first(kNetwork), b.octets().first(kNetwork)));
}

}  // namespace

TcpFlows::TcpFlows(uv::Loop& loop, Handlers handlers, std::uint32_t fwmark)
    : loop_(loop),
      handlers_(std::move(handlers)),
      fwmark_(fwmark),
      sweep_(loop, [this] { Sweep(); }) {}

std::vector<SocketAddress> TcpFlows::Listen(const std::vector<SocketAddress>& locals) {
  std::erase_if(places_, [&](const Place& place) {
    return place.purpose == Purpose::kPassive &&
           std::ranges::find(locals, place.wanted) == locals.end();
  });
  std::vector<SocketAddress> passive;
  for (const SocketAddress& local : locals) {
    const auto known = std::ranges::find_if(places_, [&](const Place& place) {
      return place.purpose == Purpose::kPassive && place.wanted == local;
    });
    const auto open = known != places_.end() ? Result<SocketAddress>(known->local)
                                             : Open(local, Purpose::kPassive);
    if (open) {
      passive.push_back(*open);
    } else {
      log::Debug("{}: {}", open.error().context, open.error().code.message());
    }
  }
  return passive;
}

Result<SocketAddress> TcpFlows::OpenSimultaneous(const IpAddress& ip) {
  return Open({ip, 0}, Purpose::kSimultaneousOpen);
}

Result<SocketAddress> TcpFlows::Open(const SocketAddress& wanted, Purpose purpose) {
  if (places_.size() == kMaxListeners) {
    return Fail(Error{.code = std::make_error_code(std::errc::too_many_files_open),
                      .context = "listen on " + ToString(wanted)});
  }
  auto local = std::make_shared<SocketAddress>(wanted);
  const auto listen = [&](std::uint16_t port) {
    return uv::Listener::ListenTcp(
        loop_, {wanted.ip, port},
        [this, local](std::unique_ptr<uv::Stream> stream) { Accept(*local, std::move(stream)); },
        {.fwmark = fwmark_, .shares_port = purpose == Purpose::kSimultaneousOpen});
  };
  auto listener = listen(wanted.port);
  if (!listener && wanted.port != 0 && listener.error().code == std::errc::address_in_use) {
    listener = listen(0);
  }
  if (!listener) {
    return Fail(std::move(listener.error()));
  }
  const auto bound = (*listener)->local_address();
  if (!bound) {
    return bound;
  }
  *local = OverTcp({wanted.ip, bound->port});
  places_.push_back({wanted, *local, purpose, std::move(*listener)});
  return *local;
}

bool TcpFlows::OpensBothWays(const SocketAddress& local) const {
  return std::ranges::any_of(places_, [&](const Place& place) {
    return place.purpose == Purpose::kSimultaneousOpen && place.local == local;
  });
}

template <typename Predicate>
std::size_t TcpFlows::Count(Predicate is_such) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      flows_, [&](const auto& entry) { return is_such(entry.first, *entry.second); }));
}

bool TcpFlows::Send(const SocketAddress& local, const SocketAddress& remote, Bytes packet) {
  const Name name{local, remote};
  Flow* const flow = FindOrConnect(name);
  if (flow == nullptr) {
    return false;
  }
  const TimePoint now = uv::Loop::Now();
  if (flow->is_stranger() && Count([](const Name&, const Flow& other) {
                               return other.accepted && other.answered;
                             }) >= kMaxAccepted) {
    flows_.erase(name);
    return false;
  }
  flow->answered = true;
  flow->used = now;
  const auto kind = stun::MessageView::Parse(packet) ? tcp::FrameQueue::Kind::kStun
                                                     : tcp::FrameQueue::Kind::kData;
  if (!flow->queue.Push(now, packet, kind)) {
    flows_.erase(name);
    return false;
  }
  Pump(*flow);
  return true;
}

TcpFlows::Flow* TcpFlows::FindOrConnect(const Name& name) {
  if (const auto found = flows_.find(name); found != flows_.end()) {
    return found->second.get();
  }
  const bool may_connect = name.first.port == kActivePort || OpensBothWays(name.first);
  const bool full =
      Count([](const Name&, const Flow& flow) { return !flow.accepted; }) >= kMaxConnected;
  if (!may_connect || full) {
    return nullptr;
  }
  auto flow = std::make_unique<Flow>();
  flow->opened = flow->used = uv::Loop::Now();
  if (!Connect(name, *flow) && !OpensBothWays(name.first)) {
    return nullptr;
  }
  return &Keep(name, std::move(flow));
}

bool TcpFlows::Connect(const Name& name, Flow& flow) {
  const bool both_ways = OpensBothWays(name.first);
  const SocketAddress from{name.first.ip, both_ways ? name.first.port : std::uint16_t{0}};
  auto stream =
      uv::Stream::ConnectTcp(loop_, name.second, uv::Loop::Now() + kConnectTimeout, fwmark_, &from);
  if (!stream) {
    log::Debug("{}: {}", stream.error().context, stream.error().code.message());
    return false;
  }
  flow.stream = std::move(*stream);
  flow.deframer = {};
  return true;
}

/// Whether there is room for one more, which the oldest may have to make.
bool TcpFlows::AdmitStranger(const SocketAddress& remote) {
  const std::size_t of_one = Count([&](const Name& name, const Flow& flow) {
    return flow.is_stranger() && AreOfOneSource(name.second.ip, remote.ip);
  });
  if (of_one >= kMaxStrangersOfOne) {
    return false;
  }
  if (Count([](const Name&, const Flow& flow) { return flow.is_stranger(); }) >= kMaxStrangers) {
    const auto rank = [](const auto& entry) {
      return entry.second->is_stranger() ? entry.second->opened : TimePoint::max();
    };
    flows_.erase(std::ranges::min_element(flows_, {}, rank));
  }
  return true;
}

void TcpFlows::Accept(const SocketAddress& local, std::unique_ptr<uv::Stream> stream) {
  const auto remote = stream->remote_address();
  if (!remote || !AdmitStranger(*remote)) {
    return;
  }
  const Name name{local, OverTcp(*remote)};
  auto flow = std::make_unique<Flow>();
  if (const auto ours = flows_.find(name); ours != flows_.end()) {
    flow->queue = std::move(ours->second->queue);  // Of simultaneous-open: the peer was sooner.
    flow->answered = ours->second->answered;
  }
  flow->stream = std::move(stream);
  flow->accepted = true;
  flow->opened = flow->used = uv::Loop::Now();
  flow->was_open = true;
  Pump(Keep(name, std::move(flow)));
}

TcpFlows::Flow& TcpFlows::Keep(const Name& name, std::unique_ptr<Flow> flow) {
  Flow& kept = *(flows_[name] = std::move(flow));
  if (kept.stream != nullptr) {
    Start(name, kept);
  } else {
    TryAgain(kept);  // The peer's connection may be there already, and wait to be accepted.
  }
  if (flows_.size() == 1) {  // Else it is armed, and may not be put off.
    sweep_.ArmAt(uv::Loop::Now() + kSimultaneousGap);
  }
  return kept;
}

void TcpFlows::Start(const Name& name, Flow& flow) {
  flow.stream->Start({.on_connect =
                          [this, &flow] {
                            flow.was_open = true;
                            Pump(flow);
                          },
                      .on_data = [this, name](Bytes bytes) { HandleData(name, bytes); },
                      .on_drain = [this, &flow] { Pump(flow); },
                      .on_close =
                          [this, name](uv::CloseReason reason, const Error& error) {
                            HandleClose(name, reason == uv::CloseReason::kFailed ||
                                                  error.code == std::errc::connection_reset);
                          }});
}

void TcpFlows::TryAgain(Flow& flow) {
  flow.retry = uv::Loop::Now() + kSimultaneousGap;
  sweep_.ArmAt(flow.retry);
}

void TcpFlows::HandleData(const Name& name, Bytes bytes) {
  // An answer to a packet may end the flow, so it is looked up for each.
  auto found = flows_.find(name);
  if (found == flows_.end()) {
    return;
  }
  found->second->used = uv::Loop::Now();
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
  const TimePoint now = uv::Loop::Now();
  if (!flow.was_open && OpensBothWays(name.first) && now - flow.opened < kConnectTimeout) {
    flow.stream.reset();  // The peer may only be about to begin.
    TryAgain(flow);
    return;
  }
  const bool again = reset && !flow.accepted && !flow.reconnected && !OpensBothWays(name.first);
  flow.reconnected = true;
  if (again && Connect(name, flow)) {
    Start(name, flow);
    return;
  }
  flows_.erase(found);
  handlers_.on_gone(name.first, name.second);
}

void TcpFlows::Pump(Flow& flow) {
  if (flow.stream == nullptr || flow.stream->state() != uv::Stream::State::kOpen) {
    return;
  }
  while (flow.stream->write_queue_size() < kMaxWriting) {
    const auto frame = flow.queue.Pop(uv::Loop::Now());
    if (!frame) {
      return;
    }
    flow.stream->Write(*frame);
  }
}

bool TcpFlows::IsOver(const Flow& flow, TimePoint now) const {
  if (flow.stream == nullptr) {
    return now - flow.opened >= kConnectTimeout;
  }
  const auto unwritable = flow.queue.GiveUpAt();
  return (flow.is_stranger() && now - flow.opened >= kStrangerLifetime) ||
         now - flow.used >= kIdle ||
         (flow.stream->state() == uv::Stream::State::kOpen && unwritable && now >= *unwritable);
}

void TcpFlows::Sweep() {
  const TimePoint now = uv::Loop::Now();
  std::vector<Name> over;
  for (auto& [name, flow] : flows_) {
    if (flow->stream == nullptr && now >= flow->retry && !IsOver(*flow, now)) {
      if (Connect(name, *flow)) {
        Start(name, *flow);
      } else {
        flow->retry = now + kSimultaneousGap;
      }
    } else if (IsOver(*flow, now)) {
      over.push_back(name);
    }
  }
  for (const Name& name : over) {
    // Whoever is told of one may have ended another.
    if (const auto found = flows_.find(name);
        found != flows_.end() && IsOver(*found->second, now)) {
      flows_.erase(found);
      handlers_.on_gone(name.first, name.second);
    }
  }
  if (!flows_.empty()) {
    const bool retries =
        Count([](const Name&, const Flow& flow) { return flow.stream == nullptr; }) > 0;
    sweep_.ArmAt(now + (retries ? kSimultaneousGap : kSweepGap));
  }
}

}  // namespace floe::ice
