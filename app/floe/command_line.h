// The arguments of `floe`, as plain values. The manual page is packaging/man/floe.1.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/control/exit_code.h"
#include "base/result.h"
#include "base/time.h"

namespace floe::cli {

enum class Verb : std::uint8_t {
  kKeyGen,
  kKeyPub,
  kKeyPsk,
  kConfigCheck,
  kConfigShow,
  kConfigReload,
  kImportWg,
  kStatus,
  kPing,
  kWait,
  kUp,
  kDown,
  kVersion,
};

/// What `floe status --check` asks.
enum class Check : std::uint8_t {
  kLive,    // The daemon answers.
  kReady,   // A rendezvous is connected, if there are any, and the peers named are up.
  kDirect,  // The peers named, else all, are up over direct paths.
};

/// What `floe wait --for` waits for.
enum class Awaited : std::uint8_t {
  kUp,      // The daemon answers.
  kPeer,    // The peer is up.
  kDirect,  // The peer is up over a direct path.
};

enum class Output : std::uint8_t { kText, kJson };

struct CommandLine {
  Verb verb = Verb::kStatus;
  std::string socket;
  Output output = Output::kText;
  std::string file;                // config check, config show, import wg
  std::string output_file;         // import wg
  bool effective = false;          // config show
  bool force = false;              // import wg
  std::vector<std::string> peers;  // status, up, down; ping has one
  bool detail = false;             // status
  bool watch = false;              // status
  std::optional<Check> check;      // status
  std::uint32_t count = 0;         // ping; 0: until the timeout
  Duration interval{};             // ping
  Duration timeout{};              // ping, wait
  bool timeout_given = false;      // ping
  bool until_direct = false;       // ping
  Awaited awaited = Awaited::kUp;  // wait
  std::string awaited_peer;        // wait
};

/// The arguments were no command, or asked for help: what to print, and how to exit.
struct EarlyExit {
  control::ExitCode code = control::ExitCode::kUsage;
  std::string out;
  std::string err;
};

/// `arguments` as main() gets them, the program's name first. Reads FLOE_SOCKET.
[[nodiscard]] Result<CommandLine, EarlyExit> ParseCommandLine(int count,
                                                              const char* const* arguments);

}  // namespace floe::cli
