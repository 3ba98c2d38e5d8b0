// The verbs of `floe`. Each prints to the streams it is given and returns how to exit.

#pragma once

#include <iosfwd>

#include "app/control/exit_code.h"
#include "app/floe/command_line.h"

namespace floe::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

// Without the daemon.
[[nodiscard]] control::ExitCode RunKeyGen(Streams streams);
[[nodiscard]] control::ExitCode RunKeyPub(Streams streams);
[[nodiscard]] control::ExitCode RunKeyPsk(Streams streams);
[[nodiscard]] control::ExitCode RunConfigCheck(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunConfigShow(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunImportWg(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunVersion(const CommandLine& line, Streams streams);

// Through the daemon.
[[nodiscard]] control::ExitCode RunStatus(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunPing(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunWait(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunUp(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunDown(const CommandLine& line, Streams streams);
[[nodiscard]] control::ExitCode RunConfigReload(const CommandLine& line, Streams streams);

/// Runs the verb of `line`.
[[nodiscard]] control::ExitCode Run(const CommandLine& line, Streams streams);

}  // namespace floe::cli
