// floe wait: sleeps until the daemon, or a link, is as a script needs it.

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <thread>

#include "app/floe/commands.h"
#include "app/floe/daemon.h"
#include "app/floe/selection.h"

namespace floe::cli {
namespace {

using control::ExitCode;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{50};
constexpr milliseconds kLeastPatience{100};  // For the last look, when the time is up already.

/// Done, or why not yet.
Result<void, Failure> Look(const CommandLine& line, Duration patience) {
  const auto status = FetchStatus(line.socket, patience);
  if (!status) {
    return Fail(status.error());
  }
  if (line.awaited == Awaited::kUp) {
    return {};
  }
  const control::PeerStatus* const peer = control::FindPeer(*status, line.awaited_peer);
  if (peer == nullptr) {
    return Fail(Failure{ExitCode::kNo, "no such peer: " + line.awaited_peer});
  }
  if (line.awaited == Awaited::kPeer ? IsUp(*peer) : IsDirect(*peer)) {
    return {};
  }
  // Time may help, which is what kTimedOut stands for until the time is up.
  return Fail(Failure{ExitCode::kTimedOut, peer->name + " is " +
                                               std::string(ToString(peer->state)) + ", path " +
                                               std::string(ToString(peer->path.kind))});
}

/// Whether waiting can change it: a daemon may appear, a link may come up.
bool MayPass(const Failure& failure) {
  return failure.code == ExitCode::kNotRunning || failure.code == ExitCode::kTimedOut;
}

}  // namespace

ExitCode RunWait(const CommandLine& line, Streams streams) {
  const TimePoint deadline = std::chrono::steady_clock::now() + line.timeout;
  while (true) {
    const Duration left = deadline - std::chrono::steady_clock::now();
    const auto looked = Look(line, std::max<Duration>(left, kLeastPatience));
    if (looked) {
      return ExitCode::kDone;
    }
    if (!MayPass(looked.error())) {
      return Report(streams.err, looked.error());
    }
    if (left <= Duration::zero()) {
      return Report(streams.err, {ExitCode::kTimedOut, "timed out: " + looked.error().message});
    }
    std::this_thread::sleep_for(std::min<Duration>(left, kPollInterval));
  }
}

}  // namespace floe::cli
