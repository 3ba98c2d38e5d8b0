#include "app/control/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <utility>

namespace floe::control {
namespace {

constexpr std::size_t kChunk = 65536;  // bytes read at once

std::string Reason(int code) {
  return std::generic_category().message(code);
}

ClientError ConnectError(const std::string& socket, int code) {
  if (code == ENOENT || code == ECONNREFUSED || code == ENOTDIR) {
    return {ClientErrorKind::kNotRunning,
            fmt::format("floed is not running: nobody listens on {}", socket)};
  }
  if (code == EACCES || code == EPERM) {
    return {ClientErrorKind::kNotPermitted,
            fmt::format("not permitted to use {}: try it as root", socket)};
  }
  return {ClientErrorKind::kFailed, fmt::format("cannot connect to {}: {}", socket, Reason(code))};
}

ClientError Failed(const char* call, int code) {
  if (code == EPIPE || code == ECONNRESET) {
    return {ClientErrorKind::kClosed, "floed closed the connection before it had answered"};
  }
  return {ClientErrorKind::kFailed,
          fmt::format("{} on the control socket: {}", call, Reason(code))};
}

bool IsTransient(int code) {
  return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

int MillisecondsUntil(TimePoint deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  constexpr std::int64_t kLongest = 60'000;  // The caller asks again until the deadline is there.
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kLongest));
}

}  // namespace

ExitCode ExitCodeOf(ClientErrorKind kind) {
  switch (kind) {
    case ClientErrorKind::kBadPath:
      return ExitCode::kUsage;
    case ClientErrorKind::kNotRunning:
      return ExitCode::kNotRunning;
    case ClientErrorKind::kNotPermitted:
      return ExitCode::kNotPermitted;
    case ClientErrorKind::kTimedOut:
      return ExitCode::kTimedOut;
    case ClientErrorKind::kClosed:
    case ClientErrorKind::kBadReply:
    case ClientErrorKind::kFailed:
      return ExitCode::kNo;
  }
  return ExitCode::kNo;
}

Result<Client, ClientError> Client::Connect(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof(address.sun_path)) {
    return Fail(ClientError{ClientErrorKind::kBadPath,
                            fmt::format("the name of a socket has 1 to {} characters: {}",
                                        sizeof(address.sun_path) - 1, socket)});
  }
  std::ranges::copy(socket, std::begin(address.sun_path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Fail(ConnectError(socket, errno));
  }
  return Client(std::move(fd));
}

Result<void, ClientError> Client::Wait(short events, TimePoint deadline) const {
  while (true) {
    pollfd waiting{socket_.get(), events, 0};
    const int ready = poll(&waiting, 1, MillisecondsUntil(deadline));
    if (ready > 0) {
      return {};
    }
    if (ready < 0 && errno != EINTR) {
      return Fail(Failed("poll", errno));
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Fail(ClientError{ClientErrorKind::kTimedOut, "floed did not answer in time"});
    }
  }
}

Result<void, ClientError> Client::Send(const Request& request, TimePoint deadline) {
  const std::string line = Serialize(request) + '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    // MSG_NOSIGNAL: a daemon that hangs up is an error, not a signal.
    const ssize_t sent = send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (!IsTransient(errno)) {
      return Fail(Failed("send", errno));
    }
    if (auto waited = Wait(POLLOUT, deadline); !waited) {
      return waited;
    }
  }
  return {};
}

/// Reads once into `received_`.
Result<void, ClientError> Client::Fill(TimePoint deadline) {
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  while (true) {
    if (auto waited = Wait(POLLIN, deadline); !waited) {
      return waited;
    }
    const ssize_t got = recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got > 0) {
      received_.append(chunk.data(), static_cast<std::size_t>(got));
      return {};
    }
    if (got == 0) {
      return Fail(Failed("recv", ECONNRESET));
    }
    if (!IsTransient(errno)) {
      return Fail(Failed("recv", errno));
    }
  }
}

Result<Reply, ClientError> Client::Receive(TimePoint deadline) {
  std::size_t end = received_.find('\n', searched_);
  while (end == std::string::npos) {
    searched_ = received_.size();
    if (searched_ >= kMaxReplySize) {
      return Fail(ClientError{ClientErrorKind::kBadReply, "floed's reply is too long"});
    }
    if (auto filled = Fill(deadline); !filled) {
      return Fail(std::move(filled).error());
    }
    end = received_.find('\n', searched_);
  }
  auto reply = ParseReply(std::string_view(received_).substr(0, end));
  received_.erase(0, end + 1);
  searched_ = 0;
  if (!reply) {
    return Fail(ClientError{
        ClientErrorKind::kBadReply,
        fmt::format("floed and floe do not understand each other: {}", ToString(reply.error()))});
  }
  return *std::move(reply);
}

Result<Reply, ClientError> Ask(const std::string& socket, const Request& request,
                               Duration patience) {
  const TimePoint deadline = std::chrono::steady_clock::now() + patience;
  auto client = Client::Connect(socket);
  if (!client) {
    return Fail(std::move(client).error());
  }
  if (auto sent = client->Send(request, deadline); !sent) {
    return Fail(std::move(sent).error());
  }
  auto reply = client->Receive(deadline);
  while (reply && !IsLast(*reply)) {
    reply = client->Receive(deadline);
  }
  return reply;
}

}  // namespace floe::control
