// Questions to the daemon, with what can go wrong put as the program will report it.

#pragma once

#include <chrono>
#include <iosfwd>
#include <string>

#include "app/control/client.h"
#include "app/control/exit_code.h"
#include "app/control/reply.h"
#include "app/control/request.h"
#include "base/result.h"
#include "base/time.h"

namespace floe::cli {

/// How long the daemon may take over a question that it can answer at once.
inline constexpr std::chrono::seconds kPatience{5};

/// Why the program ends, and with which code.
struct Failure {
  control::ExitCode code = control::ExitCode::kNo;
  std::string message;
};

[[nodiscard]] Failure ToFailure(const control::ClientError& error);

/// The last reply to `request`. One that is an error is a failure.
[[nodiscard]] Result<control::Reply, Failure> AskDaemon(const std::string& socket,
                                                        const control::Request& request,
                                                        Duration patience);

[[nodiscard]] Result<control::Status, Failure> FetchStatus(const std::string& socket,
                                                           Duration patience);

/// Prints "floe: " and the message, and returns the code.
[[nodiscard]] control::ExitCode Report(std::ostream& err, const Failure& failure);

}  // namespace floe::cli
