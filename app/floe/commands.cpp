#include "app/floe/commands.h"

#include <ostream>

#include "app/floe/version.h"

namespace floe::cli {

using control::ExitCode;

ExitCode RunVersion(const CommandLine& line, Streams streams) {
  if (line.output == Output::kJson) {
    streams.out << R"({"schema":"floe.version/1","version":")" << kVersion << "\"}\n";
  } else {
    streams.out << "floe " << kVersion << '\n';
  }
  return ExitCode::kDone;
}

ExitCode Run(const CommandLine& line, Streams streams) {
  switch (line.verb) {
    case Verb::kKeyGen:
      return RunKeyGen(streams);
    case Verb::kKeyPub:
      return RunKeyPub(streams);
    case Verb::kKeyPsk:
      return RunKeyPsk(streams);
    case Verb::kConfigCheck:
      return RunConfigCheck(line, streams);
    case Verb::kConfigShow:
      return RunConfigShow(line, streams);
    case Verb::kConfigReload:
      return RunConfigReload(line, streams);
    case Verb::kImportWg:
      return RunImportWg(line, streams);
    case Verb::kStatus:
      return RunStatus(line, streams);
    case Verb::kPing:
      return RunPing(line, streams);
    case Verb::kWait:
      return RunWait(line, streams);
    case Verb::kUp:
      return RunUp(line, streams);
    case Verb::kDown:
      return RunDown(line, streams);
    case Verb::kVersion:
      return RunVersion(line, streams);
  }
  return ExitCode::kUsage;
}

}  // namespace floe::cli
