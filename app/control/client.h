// The command line's end of the control socket: blocking, one connection, one request at a time.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/control/exit_code.h"
#include "app/control/reply.h"
#include "app/control/request.h"
#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"

namespace floe::control {

enum class ClientErrorKind : std::uint8_t {
  kBadPath,       // Longer than the name of a unix socket may be.
  kNotRunning,    // Nobody listens there.
  kNotPermitted,  // Somebody does, but not for us.
  kClosed,        // The daemon hung up before it had answered.
  kBadReply,      // It answered something that is no reply.
  kTimedOut,
  kFailed,  // Any other failure of the operating system.
};

struct ClientError {
  ClientErrorKind kind = ClientErrorKind::kFailed;
  std::string context;  // A sentence for the user, without a full stop.
};

/// What the program is to exit with after such an error.
[[nodiscard]] ExitCode ExitCodeOf(ClientErrorKind kind);

class Client {
 public:
  /// Connects to the daemon that listens at `socket`. Does not wait for one to appear.
  [[nodiscard]] static Result<Client, ClientError> Connect(const std::string& socket);

  /// Sends a request. Waits until `deadline` at most.
  [[nodiscard]] Result<void, ClientError> Send(const Request& request, TimePoint deadline);

  /// Waits for the next reply until `deadline` at most.
  [[nodiscard]] Result<Reply, ClientError> Receive(TimePoint deadline);

 private:
  explicit Client(UniqueFd socket) : socket_(std::move(socket)) {}

  [[nodiscard]] Result<void, ClientError> Wait(short events, TimePoint deadline) const;
  [[nodiscard]] Result<void, ClientError> Fill(TimePoint deadline);

  UniqueFd socket_;
  std::string received_;      // Bytes behind the last reply.
  std::size_t searched_ = 0;  // So many of them hold no line feed.
};

/// Connects, asks, and returns the last reply, within `patience` altogether.
[[nodiscard]] Result<Reply, ClientError> Ask(const std::string& socket, const Request& request,
                                             Duration patience);

}  // namespace floe::control
