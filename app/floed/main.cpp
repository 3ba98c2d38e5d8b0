// floed: the daemon.

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>

#include "app/config/config.h"
#include "app/control/exit_code.h"
#include "app/floed/runtime/key_log_file.h"
#include "app/floed/runtime/runtime.h"
#include "base/log.h"

namespace floe {
namespace {

int ToInt(control::ExitCode code) {
  return static_cast<int>(code);
}

/// What would help, for the errors a first start meets.
std::string RemedyFor(const Error& error) {
  const bool tun = error.context.find("/dev/net/tun") != std::string::npos;
  if (tun && error.code == std::errc::no_such_file_or_directory) {
    return "load the tun module, or give the container /dev/net/tun";
  }
  if (error.code == std::errc::operation_not_permitted ||
      error.code == std::errc::permission_denied) {
    return "run floed as root or with CAP_NET_ADMIN";
  }
  return {};
}

control::ExitCode Report(const Error& error) {
  std::string text = error.context;
  // A context that is a sentence already says what the code says.
  if (text.find(" is in use") == std::string::npos && text.find(" overlap ") == std::string::npos) {
    text += ": " + error.code.message();
  }
  if (const std::string remedy = RemedyFor(error); !remedy.empty()) {
    text += "; " + remedy;
  }
  std::fprintf(stderr, "floed: %s\n", text.c_str());
  const bool permission = error.code == std::errc::operation_not_permitted ||
                          error.code == std::errc::permission_denied;
  return permission ? control::ExitCode::kNotPermitted : control::ExitCode::kNo;
}

/// Null if `path` is empty.
Result<std::unique_ptr<daemon::KeyLogFile>, config::FileProblem> OpenKeyLog(
    const std::string& path) {
  if (path.empty()) {
    return nullptr;
  }
  return daemon::KeyLogFile::Open(path);
}

control::ExitCode Start(const std::string& config_file, const std::string& socket,
                        const std::string& key_log_file) {
  const daemon::ConfigSource source = [config_file, socket] {
    auto config = config::LoadConfig(config_file);
    if (config && !socket.empty()) {
      config->control_socket = socket;
    }
    return config;
  };
  auto config = source();
  if (!config) {
    std::fprintf(stderr, "%s\n", ToString(config.error()).c_str());
    return control::ExitCode::kUsage;
  }
  auto key_log = OpenKeyLog(key_log_file);
  if (!key_log) {
    std::fprintf(stderr, "floed: --wg-keylog: %s; %s\n", key_log.error().message.c_str(),
                 key_log.error().remedy.c_str());
    return control::ExitCode::kUsage;
  }
  log::Init(config->log_level);
  auto runtime = daemon::Runtime::Make(std::move(*config), source, std::move(*key_log));
  if (!runtime) {
    return Report(runtime.error());
  }
  return (*runtime)->Run();
}

}  // namespace
}  // namespace floe

int main(int argc, char** argv) {
  CLI::App app("floed, the floe daemon: links this machine to its peers", "floed");
  std::string config_file = floe::config::kDefaultConfigFile;
  std::string state_dir = "/var/lib/floe";
  std::string socket;
  std::string key_log_file;
  app.add_option("--config", config_file, "The configuration")->capture_default_str();
  app.add_option("--state-dir", state_dir, "Where floed keeps what it learns")
      ->capture_default_str();
  app.add_option("--socket", socket, "The control socket; overrides the configuration");
  app.add_option("--wg-keylog", key_log_file,
                 "For debugging: write the keys of all sessions to this file, for Wireshark");
  app.set_version_flag("--version", FLOE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : floe::ToInt(floe::control::ExitCode::kUsage);
  }
  return floe::ToInt(floe::Start(config_file, socket, key_log_file));
}
