// floe config check: reads a configuration as the daemon would, and says what is wrong with it.

#include <ostream>

#include "app/config/config.h"
#include "app/floe/commands.h"

namespace floe::cli {

control::ExitCode RunConfigCheck(const CommandLine& line, Streams streams) {
  const auto config = config::LoadConfig(line.file);
  if (!config) {
    streams.err << ToString(config.error()) << '\n';
    return control::ExitCode::kUsage;
  }
  const std::size_t peers = config->peers.size();
  streams.out << line.file << ": ok, " << peers << (peers == 1 ? " peer\n" : " peers\n");
  return control::ExitCode::kDone;
}

}  // namespace floe::cli
