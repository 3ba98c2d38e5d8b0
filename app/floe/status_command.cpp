// floe status: what the node knows about itself and its peers.

#include <chrono>
#include <ostream>
#include <thread>
#include <unistd.h>
#include <utility>

#include "app/control/render.h"
#include "app/floe/commands.h"
#include "app/floe/daemon.h"
#include "app/floe/selection.h"

namespace floe::cli {
namespace {

using control::ExitCode;

constexpr std::chrono::seconds kWatchInterval{1};
constexpr const char* kClearScreen = "\x1b[H\x1b[2J";  // ECMA-48: CUP, ED

Result<control::Status, Failure> FetchSelected(const CommandLine& line) {
  auto status = FetchStatus(line.socket, kPatience);
  if (!status) {
    return status;
  }
  auto selected = Select(*std::move(status), line.peers);
  if (!selected) {
    return Fail(Failure{ExitCode::kNo, "no such peer: " + selected.error()});
  }
  return *std::move(selected);
}

void Print(const control::Status& status, const CommandLine& line, std::ostream& out) {
  if (line.output == Output::kJson) {
    out << ToJson(status) << '\n';
    return;
  }
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto detail = line.detail ? control::Detail::kFull : control::Detail::kTable;
  out << control::RenderStatus(status, now, detail);
}

/// Until the daemon goes away or the output does; else until somebody interrupts it.
Failure Watch(const CommandLine& line, std::ostream& out) {
  const bool clear = line.output == Output::kText && isatty(STDOUT_FILENO) != 0;
  while (true) {
    const auto status = FetchSelected(line);
    if (!status) {
      return status.error();
    }
    out << (clear ? kClearScreen : "");
    Print(*status, line, out);
    if (!out.flush()) {
      return {ExitCode::kNo, "cannot write to standard output"};
    }
    std::this_thread::sleep_for(kWatchInterval);
  }
}

}  // namespace

ExitCode RunStatus(const CommandLine& line, Streams streams) {
  if (line.watch) {
    return Report(streams.err, Watch(line, streams.out));
  }
  const auto status = FetchSelected(line);
  if (!status) {
    return Report(streams.err, status.error());
  }
  if (line.check) {
    return Passes(*status, *line.check, !line.peers.empty()) ? ExitCode::kDone : ExitCode::kNo;
  }
  Print(*status, line, streams.out);
  return ExitCode::kDone;
}

}  // namespace floe::cli
