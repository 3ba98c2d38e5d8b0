// floe up and floe down: start and stop links; no setting changes.

#include <ostream>

#include "app/floe/commands.h"
#include "app/floe/daemon.h"

namespace floe::cli {
namespace {

control::ExitCode Tell(const CommandLine& line, const control::Request& request, Streams streams) {
  const auto reply = AskDaemon(line.socket, request, kPatience);
  return reply ? control::ExitCode::kDone : Report(streams.err, reply.error());
}

}  // namespace

control::ExitCode RunUp(const CommandLine& line, Streams streams) {
  return Tell(line, control::UpRequest{line.peers}, streams);
}

control::ExitCode RunDown(const CommandLine& line, Streams streams) {
  return Tell(line, control::DownRequest{line.peers}, streams);
}

}  // namespace floe::cli
