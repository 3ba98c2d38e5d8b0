#include "tests/tools/floe_ice/runtime.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "tun/interfaces.h"
#include "tun/netlink.h"
#include "tun/usable_addresses.h"

namespace floe::tools {
namespace {

constexpr std::size_t kMaxBatches = 8;          // Of 32 datagrams, before other work has its turn.
constexpr std::size_t kMaxLine = 256UL * 1024;  // bytes: more than the largest datagram in hex

void Say(const std::string& complaint) {
  std::fprintf(stderr, "floe-ice: %s\n", complaint.c_str());
}

ice::RelayTransport TransportOf(const config::RelayUrl& url) {
  switch (url.transport) {
    case config::RelayTransport::kUdp:
      return ice::RelayTransport::kUdp;
    case config::RelayTransport::kTcp:
      return ice::RelayTransport::kTcp;
    case config::RelayTransport::kTls:
      return ice::RelayTransport::kTls;
  }
  return ice::RelayTransport::kUdp;
}

/// All of it at once, also where standard output is a pipe or terminal that does not block. False
/// if nobody reads it any more.
bool WriteLine(std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd waiting{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::Make(Options options) {
  auto loop = uv::Loop::Make();
  if (!loop) {
    return Fail(std::move(loop.error()));
  }
  return std::make_unique<Runtime>(std::move(options), std::move(*loop));
}

Runtime::Runtime(Options options, std::unique_ptr<uv::Loop> loop)
    : options_(std::move(options)),
      loop_(std::move(loop)),
      session_(uv::Loop::Now(), {.role = options_.role, .relay_only = options_.relay_only},
               random_),
      mdns_(*loop_,
            [this](Bytes datagram) {
              session_.HandleMdns(uv::Loop::Now(), datagram);
              Flush();
            }),
      tcp_(*loop_,
           {.on_packet =
                [this](const SocketAddress& local, const SocketAddress& remote, Bytes packet) {
                  session_.HandleDatagram(uv::Loop::Now(), local, remote, packet);
                  Flush();
                },
            .on_gone =
                [this](const SocketAddress& local, const SocketAddress& remote) {
                  session_.HandleUnreachable(uv::Loop::Now(), local, remote);
                  Flush();
                }}),
      relay_streams_(*loop_, /*fwmark=*/0,
                     {.on_open =
                          [this](ice::StreamId id, const SocketAddress& local) {
                            session_.HandleStreamOpened(uv::Loop::Now(), id, local);
                            Flush();
                          },
                      .on_bytes =
                          [this](ice::StreamId id, Bytes bytes) {
                            session_.HandleStreamBytes(uv::Loop::Now(), id, bytes);
                            Flush();
                          },
                      .on_close =
                          [this](ice::StreamId id, std::string_view reason) {
                            Say("relay: " + std::string(reason));
                            session_.HandleStreamClosed(uv::Loop::Now(), id, reason);
                            Flush();
                          }}),
      timer_(*loop_, [this] {
        session_.HandleTimeout(uv::Loop::Now());
        Flush();
      }) {}

Result<void> Runtime::Run() {
  Flush();  // The credentials, before anything that takes time.
  auto signals = uv::Signals::Make(*loop_, [this](int /*signal*/) { EndInput(); });
  if (!signals) {
    return Fail(std::move(signals.error()));
  }
  signals_ = std::move(*signals);
  if (auto opened = OpenPorts(); !opened) {
    return opened;
  }
  std::vector<SocketAddress> addresses;
  for (const auto& port : ports_) {
    addresses.push_back(port->local);
  }
  session_.SetLocalAddresses(uv::Loop::Now(), addresses);
  ListenTcp();
  StartServers();
  Flush();
  if (auto watched = WatchInput(); !watched) {
    return watched;
  }
  if (!session_.is_closed()) {
    loop_->Run();
  }
  return {};
}

Result<void> Runtime::OpenPorts() {
  for (const IpAddress& ip : options_.bind) {
    if (auto opened = OpenPort(ip); !opened) {
      return opened;
    }
  }
  if (!options_.bind.empty()) {
    return {};
  }
  for (const IpAddress& ip : AddressesToUse()) {
    if (const auto opened = OpenPort(ip); !opened) {
      Say(opened.error().context + ": " + opened.error().code.message());
    }
  }
  return {};
}

std::vector<IpAddress> Runtime::AddressesToUse() {
  const auto all = tun::ListAddresses();
  if (!all) {
    Say(all.error().context + ": " + all.error().code.message());
    return {};
  }
  auto netlink = tun::Netlink::Open();
  const auto routes =
      netlink ? netlink->Routes().value_or(std::vector<tun::Route>{}) : std::vector<tun::Route>{};
  std::vector<IpAddress> addresses;
  for (const tun::InterfaceAddress& usable : tun::UsableAddresses(*all, routes, {})) {
    addresses.push_back(usable.ip);
  }
  return addresses;
}

Result<void> Runtime::OpenPort(const IpAddress& ip) {
  auto socket = uv::UdpSocket::OpenAt({ip, 0});
  if (!socket) {
    return Fail(std::move(socket.error()));
  }
  const SocketAddress local{ip, socket->port()};
  ports_.push_back(
      std::make_unique<Port>(Port{.local = local, .socket = std::move(*socket), .poll = nullptr}));
  Port& port = *ports_.back();
  auto poll = uv::Poll::Make(*loop_, port.socket.fd(), [this, &port] {
    port.socket.Receive(
        [&](const SocketAddress& at, const SocketAddress& from, Bytes datagram,
            std::uint8_t /*tos*/) { session_.HandleDatagram(uv::Loop::Now(), at, from, datagram); },
        kMaxBatches);
    Flush();
  });
  if (!poll) {
    return Fail(std::move(poll.error()));
  }
  port.poll = std::move(*poll);
  port.poll->Watch(uv::Interest::kReadable);
  return {};
}

void Runtime::ListenTcp() {
  if (!options_.tcp || options_.relay_only) {
    return;
  }
  std::vector<SocketAddress> locals;
  std::vector<SocketAddress> simultaneous;
  for (const auto& port : ports_) {
    locals.push_back(port->local);
    if (const auto both_ways = tcp_.OpenSimultaneous(port->local.ip)) {
      simultaneous.push_back(*both_ways);
    } else {
      Say(both_ways.error().context + ": " + both_ways.error().code.message());
    }
  }
  session_.SetTcpAddresses(uv::Loop::Now(), tcp_.Listen(locals), simultaneous);
}

void Runtime::StartServers() {
  for (const config::HostPort& name : options_.stun) {
    AddServer(name, nullptr);
  }
  for (const RelayOption& relay : options_.relays) {
    AddServer(relay.url.server, &relay);
  }
  TellServers();
}

void Runtime::AddServer(const config::HostPort& name, const RelayOption* relay) {
  servers_.push_back(std::make_unique<Server>(
      Server{.name = name, .relay = relay, .resolver = nullptr, .found = {}, .pending = false}));
  Server& server = *servers_.back();
  if (const auto ip = ParseIpAddress(name.host)) {
    server.found = {{*ip, name.port}};
    return;
  }
  server.resolver = std::make_unique<uv::Resolver>(*loop_);
  const auto on_resolved = [this, &server](Result<std::vector<SocketAddress>> resolved) {
    server.pending = false;
    if (resolved) {
      server.found = std::move(*resolved);
    } else {
      Say(resolved.error().context + ": " + resolved.error().code.message());
    }
    TellServers();
    Flush();
  };
  if (const auto started = server.resolver->Start(name.host, name.port, on_resolved); !started) {
    Say(started.error().context + ": " + started.error().code.message());
    return;
  }
  server.pending = true;
}

void Runtime::TellServers() {
  std::vector<SocketAddress> stun;
  std::vector<ice::RelayServer> relays;
  bool pending = false;
  for (const auto& server : servers_) {
    pending = pending || server->pending;
    for (const SocketAddress& address : server->found) {
      if (server->relay == nullptr) {
        stun.push_back(address);
      } else {
        relays.push_back({.address = address,
                          .username = server->relay->username,
                          .password = server->relay->password.Clone(),
                          .transport = TransportOf(server->relay->url),
                          .name = server->name.host});
      }
    }
  }
  session_.SetServers(uv::Loop::Now(), stun, std::move(relays), pending);
}

Result<void> Runtime::WatchInput() {
  auto poll = uv::Poll::Make(*loop_, STDIN_FILENO, [this] { ReadInput(); });
  if (poll) {
    input_ = std::move(*poll);
    input_->Watch(uv::Interest::kReadable);
    return {};
  }
  while (!session_.is_closed()) {  // A file, which is there at once and cannot be waited for.
    ReadInput();
  }
  return {};
}

void Runtime::ReadInput() {
  std::array<char, 65536> buffer{};
  const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (size > 0) {
    HandleInput({buffer.data(), static_cast<std::size_t>(size)});
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    HandleInput("\n");  // The last line may lack its end.
    EndInput();
  }
}

void Runtime::HandleInput(std::string_view bytes) {
  while (!bytes.empty() && !session_.is_closed()) {
    const std::size_t end = bytes.find('\n');
    partial_line_ += bytes.substr(0, end);
    if (partial_line_.size() > kMaxLine) {
      partial_line_.clear();
      too_long_ = true;
    }
    if (end == std::string_view::npos) {
      return;
    }
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(partial_line_, {});
    if (std::exchange(too_long_, false)) {
      Say("a line is too long");
    } else {
      session_.HandleLine(uv::Loop::Now(), line);
      Flush();
    }
  }
}

void Runtime::EndInput() {
  if (!session_.is_closed()) {
    session_.Close(uv::Loop::Now());
  }
  Flush();
}

void Runtime::Flush() {
  if (flushing_) {
    return;
  }
  flushing_ = true;
  SendAll();
  HandleStreams();  // What fails at once may have more to be sent.
  SendAll();
  AskMdns();
  while (const auto complaint = session_.PollComplaint()) {
    Say(*complaint);
  }
  while (auto line = session_.PollLine()) {
    if (!WriteLine(std::move(*line)) && !session_.is_closed()) {
      session_.Close(uv::Loop::Now());
      SendAll();
    }
  }
  if (session_.is_closed()) {
    input_.reset();
    timer_.ArmAt(std::nullopt);
    loop_->Stop();
  } else {
    timer_.ArmAt(session_.NextTimeout());
  }
  flushing_ = false;
}

void Runtime::HandleStreams() {
  while (auto action = session_.PollStreamAction()) {
    relay_streams_.Handle(std::move(*action));
  }
}

void Runtime::AskMdns() {
  while (const auto query = session_.PollMdnsQuery()) {
    std::vector<IpAddress> locals;
    for (const auto& port : ports_) {
      locals.push_back(port->local.ip);
    }
    mdns_.Open(locals);
    mdns_.Send(*query);
  }
}

void Runtime::SendAll() {
  while (const auto transmit = session_.PollTransmit()) {
    Send(*transmit);
  }
}

void Runtime::Send(const ice::Transmit& transmit) {
  if (transmit.local.transport == Transport::kTcp) {
    if (!tcp_.Send(transmit.local, transmit.remote, transmit.payload)) {
      session_.HandleUnreachable(uv::Loop::Now(), transmit.local, transmit.remote);
    }
    return;
  }
  const auto port =
      std::ranges::find_if(ports_, [&](const auto& each) { return each->local == transmit.local; });
  if (port == ports_.end()) {
    return;
  }
  switch ((*port)->socket.Send(transmit.local, transmit.remote, transmit.payload)) {
    case uv::SendResult::kUnreachable:
      session_.HandleUnreachable(uv::Loop::Now(), transmit.local, transmit.remote);
      break;
    case uv::SendResult::kTooBig:
      Say("a datagram of " + std::to_string(transmit.payload.size()) +
          " bytes is larger than the network takes");
      break;
    case uv::SendResult::kSent:
    case uv::SendResult::kDropped:
      break;
  }
}

}  // namespace floe::tools
