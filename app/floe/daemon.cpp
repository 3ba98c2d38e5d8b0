#include "app/floe/daemon.h"

#include <ostream>
#include <utility>

namespace floe::cli {

using control::ExitCode;

Failure ToFailure(const control::ClientError& error) {
  return {control::ExitCodeOf(error.kind), error.context};
}

Result<control::Reply, Failure> AskDaemon(const std::string& socket,
                                          const control::Request& request, Duration patience) {
  auto reply = control::Ask(socket, request, patience);
  if (!reply) {
    return Fail(ToFailure(reply.error()));
  }
  if (const auto* error = std::get_if<control::ErrorReply>(&*reply)) {
    return Fail(Failure{error->code, error->error});
  }
  return *std::move(reply);
}

Result<control::Status, Failure> FetchStatus(const std::string& socket, Duration patience) {
  auto reply = AskDaemon(socket, control::StatusRequest{}, patience);
  if (!reply) {
    return Fail(std::move(reply).error());
  }
  if (auto* status = std::get_if<control::StatusReply>(&*reply)) {
    return std::move(status->status);
  }
  return Fail(Failure{ExitCode::kNo, "floed answered something else than its status"});
}

ExitCode Report(std::ostream& err, const Failure& failure) {
  err << "floe: " << failure.message << '\n';
  return failure.code;
}

}  // namespace floe::cli
