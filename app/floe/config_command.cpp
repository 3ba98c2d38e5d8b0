// floe config: reads a configuration as the daemon would, and says what is wrong with it, or what
// it comes to; or has the daemon read it.

#include <fstream>
#include <ostream>

#include "app/config/config.h"
#include "app/config/effective.h"
#include "app/control/render.h"
#include "app/floe/commands.h"
#include "app/floe/daemon.h"

namespace floe::cli {
namespace {

// Names of peers are looked up and keys are multiplied: with many of them it takes a moment.
constexpr std::chrono::seconds kReloadPatience{60};

}  // namespace

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

control::ExitCode RunConfigShow(const CommandLine& line, Streams streams) {
  const auto config = config::LoadConfig(line.file);
  if (!config) {
    streams.err << ToString(config.error()) << '\n';
    return control::ExitCode::kUsage;
  }
  if (line.effective) {
    streams.out << config::ToToml(*config);
  } else {
    streams.out << std::ifstream(line.file, std::ios::binary).rdbuf();
  }
  return control::ExitCode::kDone;
}

control::ExitCode RunConfigReload(const CommandLine& line, Streams streams) {
  const auto reply = AskDaemon(line.socket, control::ReloadRequest{}, kReloadPatience);
  if (!reply) {
    return Report(streams.err, reply.error());
  }
  if (const auto* done = std::get_if<control::ReloadReply>(&*reply)) {
    streams.out << control::RenderReload(*done) << '\n';
  }
  return control::ExitCode::kDone;
}

}  // namespace floe::cli
