#include "app/floed/runtime/control_server.h"

#include <algorithm>
#include <deque>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include "app/control/render.h"
#include "base/log.h"

namespace floe::daemon {
namespace {

constexpr mode_t kSocketMode = 0660;
constexpr std::size_t kMaxSessions = 64;
constexpr std::size_t kMaxUnread = 4UL * 1024 * 1024;  // bytes a client may leave unread
constexpr std::size_t kMaxWaiting = 256UL * 1024;      // bytes of requests behind a ping
constexpr Duration kPongTimeout = std::chrono::seconds(3);

}  // namespace

/// One connection. A ping is the only request that takes time; what is asked behind it waits.
class ControlServer::Session {
 public:
  Session(ControlServer& server, std::unique_ptr<uv::Stream> stream)
      : server_(server),
        stream_(std::move(stream)),
        timer_(server.loop_, [this] { HandleTimer(); }) {
    const auto credentials = stream_->peer_credentials();
    may_change_ = credentials && (credentials->user == 0 || credentials->user == geteuid());
    stream_->Start({.on_data = [this](Bytes bytes) { HandleData(bytes); },
                    .on_close = [this](uv::CloseReason, const Error&) { server_.Remove(this); }});
  }

  void HandlePong(const engine::Pong& pong);
  void HandleLines();

 private:
  struct Ping {
    control::PingRequest request;
    engine::PeerId peer = 0;
    TimePoint ends;
    TimePoint next;
    std::map<std::uint16_t, std::pair<std::uint32_t, TimePoint>> waiting;  // By echo seq.
    control::SummaryReply summary;
    double total_ms = 0;
    bool direct = false;
  };

  void HandleData(Bytes bytes);
  void Answer(const control::Request& request);
  void StartPing(const control::PingRequest& request);
  /// Says so if not.
  [[nodiscard]] bool MayChange();
  void SetWanted(const std::vector<std::string>& names, bool wanted);
  void HandleTimer();
  void FinishPing();
  void Send(const control::Reply& reply);

  void SendError(std::string text, control::ExitCode code) {
    Send(control::ErrorReply{.error = std::move(text), .code = code});
  }

  ControlServer& server_;
  std::unique_ptr<uv::Stream> stream_;
  uv::Timer timer_;
  bool may_change_ = false;
  std::string input_;
  std::optional<Ping> ping_;
};

void ControlServer::Session::HandleData(Bytes bytes) {
  input_ += AsText(bytes);
  const bool one_line = input_.find('\n') == std::string::npos;
  if (input_.size() > (one_line ? control::kMaxRequestSize : kMaxWaiting)) {
    SendError("the request is too long", control::ExitCode::kUsage);
    input_.clear();
    stream_->Shutdown();
    return;
  }
  HandleLines();
}

void ControlServer::Session::HandleLines() {
  while (!ping_ && server_.started_) {
    const std::size_t end = input_.find('\n');
    if (end == std::string::npos) {
      return;
    }
    const std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (const auto request = control::ParseRequest(line)) {
      Answer(*request);
    } else {
      SendError(std::string(ToString(request.error())), control::ExitCode::kUsage);
    }
  }
}

void ControlServer::Session::Answer(const control::Request& request) {
  if (std::holds_alternative<control::StatusRequest>(request)) {
    Send(control::StatusReply{server_.handlers_.status()});
  } else if (const auto* ping = std::get_if<control::PingRequest>(&request)) {
    StartPing(*ping);
  } else if (const auto* up = std::get_if<control::UpRequest>(&request)) {
    SetWanted(up->peers, true);
  } else if (const auto* down = std::get_if<control::DownRequest>(&request)) {
    SetWanted(down->peers, false);
  } else if (std::holds_alternative<control::ReloadRequest>(request)) {
    if (MayChange()) {
      Send(server_.handlers_.reload());
    }
  }
}

bool ControlServer::Session::MayChange() {
  if (!may_change_) {
    SendError("only root and the user floed runs as may do that", control::ExitCode::kNotPermitted);
  }
  return may_change_;
}

void ControlServer::Session::SetWanted(const std::vector<std::string>& names, bool wanted) {
  if (!MayChange()) {
    return;
  }
  std::vector<engine::PeerId> peers;
  for (const std::string& name : names) {
    const auto peer = server_.handlers_.find_peer(name);
    if (!peer) {
      SendError("no such peer: " + name, control::ExitCode::kNo);
      return;
    }
    peers.push_back(*peer);
  }
  if (names.empty()) {
    peers = server_.handlers_.peers();
  }
  for (const engine::PeerId peer : peers) {
    server_.handlers_.set_wanted(peer, wanted);
  }
  Send(control::OkReply{});
}

void ControlServer::Session::StartPing(const control::PingRequest& request) {
  const auto peer = server_.handlers_.find_peer(request.peer);
  if (!peer) {
    SendError("no such peer: " + request.peer, control::ExitCode::kNo);
    return;
  }
  const TimePoint now = uv::Loop::Now();
  ping_ = Ping{.request = request, .peer = *peer, .ends = now + request.timeout, .next = now};
  HandleTimer();
}

void ControlServer::Session::HandleTimer() {
  if (!ping_) {
    return;
  }
  const TimePoint now = uv::Loop::Now();
  Ping& ping = *ping_;
  const auto wait = std::min<Duration>(kPongTimeout, ping.request.timeout);
  for (auto it = ping.waiting.begin(); it != ping.waiting.end();) {
    if (now - it->second.second >= wait || now >= ping.ends) {
      Send(control::TimeoutReply{it->second.first});
      it = ping.waiting.erase(it);
    } else {
      ++it;
    }
  }
  const bool all_sent = ping.request.count != 0 && ping.summary.sent >= ping.request.count;
  const bool satisfied = ping.request.until_direct && ping.direct;
  if (now >= ping.ends || satisfied || (all_sent && ping.waiting.empty())) {
    FinishPing();
    return;
  }
  if (!server_.handlers_.find_peer(ping.request.peer)) {  // Removed since.
    SendError("no such peer: " + ping.request.peer, control::ExitCode::kNo);
    ping_.reset();
    HandleLines();
    return;
  }
  if (!all_sent && now >= ping.next) {
    const auto seq = server_.handlers_.ping(ping.peer);
    if (!seq) {
      ping_.reset();
      SendError(
          "the peer has no single address in allowed_ips to ping, or we have none of its family",
          control::ExitCode::kNo);
      HandleLines();
      return;
    }
    ping.waiting[*seq] = {++ping.summary.sent, now};
    ping.next = now + ping.request.interval;
  }
  TimePoint wake = ping.ends;
  if (ping.request.count == 0 || ping.summary.sent < ping.request.count) {
    wake = std::min(wake, ping.next);
  }
  for (const auto& [seq, sent] : ping.waiting) {
    wake = std::min(wake, sent.second + wait);
  }
  timer_.ArmAt(wake);
}

void ControlServer::Session::HandlePong(const engine::Pong& pong) {
  if (!ping_ || pong.peer != ping_->peer) {
    return;
  }
  const auto found = ping_->waiting.find(pong.seq);
  if (found == ping_->waiting.end()) {
    return;
  }
  const double rtt_ms = std::chrono::duration<double, std::milli>(pong.rtt).count();
  const control::PathStatus path = server_.handlers_.path(ping_->peer);
  const bool direct = path.kind != control::PathKind::kRelay;
  control::SummaryReply& summary = ping_->summary;
  ++summary.received;
  ping_->total_ms += rtt_ms;
  ping_->direct = ping_->direct || direct;
  summary.min_ms = std::min(summary.min_ms.value_or(rtt_ms), rtt_ms);
  summary.max_ms = std::max(summary.max_ms.value_or(rtt_ms), rtt_ms);
  summary.avg_ms = ping_->total_ms / summary.received;
  Send(control::PongReply{.seq = found->second.first,
                          .rtt_ms = rtt_ms,
                          .via = control::RenderPath(path),
                          .kind = direct ? control::PathKind::kDirect : control::PathKind::kRelay});
  ping_->waiting.erase(found);
  timer_.ArmAt(uv::Loop::Now());
}

void ControlServer::Session::FinishPing() {
  Send(ping_->summary);
  ping_.reset();
  timer_.ArmAt(std::nullopt);
  HandleLines();
}

void ControlServer::Session::Send(const control::Reply& reply) {
  if (stream_->write_queue_size() > kMaxUnread) {
    stream_->Shutdown();  // It asks and does not read.
    return;
  }
  const std::string line = control::Serialize(reply) + '\n';
  stream_->Write(AsBytes(line));
}

Result<std::unique_ptr<ControlServer>> ControlServer::Listen(uv::Loop& loop,
                                                             const std::string& path) {
  auto server = std::make_unique<ControlServer>(loop);
  auto listener = uv::Listener::ListenPipe(
      loop, path, kSocketMode,
      [raw = server.get()](std::unique_ptr<uv::Stream> stream) { raw->Accept(std::move(stream)); });
  if (!listener) {
    return Fail(std::move(listener.error()));
  }
  server->listener_ = std::move(*listener);
  return server;
}

ControlServer::ControlServer(uv::Loop& loop) : loop_(loop) {}

ControlServer::~ControlServer() = default;

void ControlServer::Start(Handlers handlers) {
  handlers_ = std::move(handlers);
  started_ = true;
  for (const auto& session : sessions_) {
    session->HandleLines();
  }
}

void ControlServer::Accept(std::unique_ptr<uv::Stream> stream) {
  if (sessions_.size() >= kMaxSessions) {
    log::Warn("control socket: more than {} connections; one refused", kMaxSessions);
    return;
  }
  sessions_.push_back(std::make_unique<Session>(*this, std::move(stream)));
}

void ControlServer::Remove(Session* session) {
  sessions_.remove_if([&](const auto& owned) { return owned.get() == session; });
}

void ControlServer::HandlePong(const engine::Pong& pong) {
  for (const auto& session : sessions_) {
    session->HandlePong(pong);
  }
}

}  // namespace floe::daemon
