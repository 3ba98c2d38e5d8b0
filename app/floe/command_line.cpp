#include "app/floe/command_line.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>

#include <CLI/CLI.hpp>

#include "app/config/config.h"
#include "app/config/duration.h"
#include "app/control/request.h"
#include "app/floe/version.h"

namespace floe::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kDefaultPings = 10;
constexpr seconds kDefaultPingInterval{1};
constexpr seconds kPingGrace{5};  // For the last of a counted series to be answered.
constexpr seconds kDefaultWait{60};

constexpr const char* kFooter =
    "Exit codes: 0 yes or done, 1 no or failed, 2 usage or bad configuration,\n"
    "3 daemon not running, 4 not permitted, 5 timed out.";

/// The options of the verbs while the library fills them in.
class Parser {
 public:
  Parser();

  [[nodiscard]] Result<CommandLine, EarlyExit> Parse(int count, const char* const* arguments);

 private:
  CLI::App* AddVerb(CLI::App& parent, const char* name, const char* help, Verb verb);
  void AddKeyVerbs();
  void AddConfigVerbs();
  void AddImportVerbs();
  void AddStatus();
  void AddPing();
  void AddWait();
  void AddLinkVerbs();
  void AddJson(CLI::App& verb);
  void AddTimeout(CLI::App& verb, const char* help);
  [[nodiscard]] std::string Finish();
  void FinishPing();
  [[nodiscard]] std::string FinishWait();

  CLI::App app_{"Links this machine with its peers. Without a verb: floe status.", "floe"};
  CommandLine line_;
  std::map<const CLI::App*, Verb> verbs_;
  bool json_ = false;
  std::string peer_;
  std::string check_;
  std::string interval_;
  std::string timeout_;
  std::string awaited_ = "up";
  CLI::Option* count_option_ = nullptr;
};

std::string CheckDuration(const std::string& text) {
  return config::ParseDuration(text) ? ""
                                     : "\"" + text + "\" is no duration; write 5, 5s, 200ms or 1m";
}

CLI::Validator DurationValidator() {
  return {CheckDuration, "DURATION"};
}

Duration DurationOr(const std::string& text, Duration otherwise) {
  return config::ParseDuration(text).value_or(otherwise);
}

Parser::Parser() {
  app_.footer(kFooter);
  app_.require_subcommand(0, 1);
  app_.set_version_flag("--version", std::string("floe ") + kVersion);
  line_.socket = config::kDefaultControlSocket;
  app_.add_option("--socket", line_.socket, "The control socket of the daemon")
      ->envname("FLOE_SOCKET")
      ->capture_default_str();
  AddLinkVerbs();
  AddStatus();
  AddPing();
  AddWait();
  AddConfigVerbs();
  AddImportVerbs();
  AddKeyVerbs();
  AddJson(*AddVerb(app_, "version", "Print the version", Verb::kVersion));
}

CLI::App* Parser::AddVerb(CLI::App& parent, const char* name, const char* help, Verb verb) {
  CLI::App* const added = parent.add_subcommand(name, help);
  added->fallthrough();  // --socket may stand behind the verb too.
  verbs_[added] = verb;
  return added;
}

void Parser::AddJson(CLI::App& verb) {
  verb.add_flag("--json", json_, "Print JSON");
}

void Parser::AddTimeout(CLI::App& verb, const char* help) {
  verb.add_option("--timeout", timeout_, help)->check(DurationValidator());
}

void Parser::AddKeyVerbs() {
  CLI::App* const key = app_.add_subcommand("key", "Make and convert keys");
  key->require_subcommand(1);
  key->fallthrough();
  AddVerb(*key, "gen", "Print a fresh private key", Verb::kKeyGen);
  AddVerb(*key, "pub", "Read a private key, print its public key", Verb::kKeyPub);
  AddVerb(*key, "psk", "Print a fresh preshared key", Verb::kKeyPsk);
  AddVerb(app_, "genkey", "The same as key gen", Verb::kKeyGen);
  AddVerb(app_, "pubkey", "The same as key pub", Verb::kKeyPub);
  AddVerb(app_, "genpsk", "The same as key psk", Verb::kKeyPsk);
}

void Parser::AddConfigVerbs() {
  CLI::App* const config = app_.add_subcommand("config", "Work on the configuration file");
  config->require_subcommand(1);
  config->fallthrough();
  CLI::App* const check =
      AddVerb(*config, "check", "Say whether a configuration is good", Verb::kConfigCheck);
  line_.file = config::kDefaultConfigFile;
  check->add_option("FILE", line_.file, "The file to check")->capture_default_str();
  CLI::App* const show =
      AddVerb(*config, "show", "Print a configuration that is good", Verb::kConfigShow);
  show->add_option("FILE", line_.file, "The file to show")->capture_default_str();
  show->add_flag("--effective", line_.effective, "As floed uses it, with what the file leaves out");
  AddVerb(*config, "reload", "Let the daemon read its configuration anew and apply it",
          Verb::kConfigReload);
}

void Parser::AddImportVerbs() {
  CLI::App* const import = app_.add_subcommand("import", "Take over the settings of others");
  import->require_subcommand(1);
  import->fallthrough();
  CLI::App* const wg = AddVerb(
      *import, "wg", "Turn a file for wg-quick into floe.toml and its key files", Verb::kImportWg);
  wg->add_option("FILE", line_.file, "The file for wg-quick")->required();
  line_.output_file = "floe.toml";
  wg->add_option("-o,--output", line_.output_file, "The configuration to write; keys go beside it")
      ->capture_default_str();
  wg->add_flag("--force", line_.force, "Overwrite what is there");
}

void Parser::AddStatus() {
  CLI::App* const status = AddVerb(app_, "status", "Show this node and its peers", Verb::kStatus);
  status->add_option("PEER", line_.peers, "Only these peers");
  status->add_flag("-d,--detail", line_.detail, "A paragraph for each peer");
  AddJson(*status);
  status->add_flag("--watch", line_.watch, "Repeat every second");
  status
      ->add_option("--check", check_,
                   "Print nothing and exit 0 or 1: live (the daemon answers), ready (rendezvous "
                   "connected, named peers up), direct (peers up over direct paths)")
      ->check(CLI::IsMember({"live", "ready", "direct"}));
}

void Parser::AddPing() {
  CLI::App* const ping = AddVerb(app_, "ping", "Measure the way to a peer", Verb::kPing);
  ping->add_option("PEER", peer_, "Name, key or address of the peer")->required();
  count_option_ = ping->add_option("-c,--count", line_.count, "How many pings [10]")
                      ->check(CLI::Range(1U, control::kMaxPingCount));
  ping->add_option("-i,--interval", interval_, "The time from one to the next [1s]")
      ->check(DurationValidator())
      ->check(CLI::Validator(
          [](const std::string& text) {
            const auto interval = config::ParseDuration(text);
            const bool fits = interval && *interval >= control::kMinPingInterval &&
                              *interval <= control::kMaxPingInterval;
            return fits ? std::string() : std::string("must lie between 10ms and 1h");
          },
          ""));
  ping->add_flag("--until-direct", line_.until_direct,
                 "End with the first answer over a direct path, and exit 1 without one");
  AddTimeout(*ping, "End at the latest after this time");
  AddJson(*ping);
}

void Parser::AddWait() {
  CLI::App* const wait = AddVerb(app_, "wait", "Wait for the daemon or a peer", Verb::kWait);
  wait->add_option("--for", awaited_, "up, peer=NAME or direct=NAME")->capture_default_str();
  AddTimeout(*wait, "How long [60s]");
}

void Parser::AddLinkVerbs() {
  AddVerb(app_, "up", "Take links up", Verb::kUp)
      ->add_option("PEER", line_.peers, "Only these peers");
  AddVerb(app_, "down", "Take links down", Verb::kDown)
      ->add_option("PEER", line_.peers, "Only these peers");
}

void Parser::FinishPing() {
  line_.peers = {peer_};
  line_.interval = DurationOr(interval_, kDefaultPingInterval);
  // Whoever says until when, and not how many, wants as many as fit.
  if (count_option_->count() == 0) {
    line_.count = line_.until_direct && !timeout_.empty() ? 0 : kDefaultPings;
  }
  line_.timeout_given = !timeout_.empty();
  line_.timeout = DurationOr(timeout_, line_.interval * line_.count + kPingGrace);
  line_.timeout = std::min<Duration>(line_.timeout, control::kMaxPingTimeout);
}

/// Returns what is wrong, if anything.
std::string Parser::FinishWait() {
  line_.timeout = DurationOr(timeout_, kDefaultWait);
  if (awaited_ == "up") {
    return "";
  }
  const std::size_t equals = awaited_.find('=');
  const std::string what = awaited_.substr(0, equals);
  line_.awaited_peer = equals == std::string::npos ? "" : awaited_.substr(equals + 1);
  line_.awaited = what == "peer" ? Awaited::kPeer : Awaited::kDirect;
  if ((what != "peer" && what != "direct") || line_.awaited_peer.empty()) {
    return "--for: \"" + awaited_ + "\" is none of up, peer=NAME and direct=NAME";
  }
  return "";
}

/// Takes what the library filled in over into `line_`. Returns what is wrong, if anything.
std::string Parser::Finish() {
  const CLI::App* verb = &app_;
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
  }
  line_.verb = verb == &app_ ? Verb::kStatus : verbs_.at(verb);
  line_.output = json_ ? Output::kJson : Output::kText;
  if (!check_.empty()) {
    line_.check = check_ == "live"    ? Check::kLive
                  : check_ == "ready" ? Check::kReady
                                      : Check::kDirect;
  }
  if (line_.check && line_.watch) {
    return "--check excludes --watch";
  }
  if (line_.verb == Verb::kPing) {
    FinishPing();
  }
  return line_.verb == Verb::kWait ? FinishWait() : "";
}

Result<CommandLine, EarlyExit> Parser::Parse(int count, const char* const* arguments) {
  try {
    app_.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app_.exit(error, out, err) == 0;
    return Fail(EarlyExit{asked ? control::ExitCode::kDone : control::ExitCode::kUsage, out.str(),
                          err.str()});
  }
  if (const std::string problem = Finish(); !problem.empty()) {
    return Fail(EarlyExit{control::ExitCode::kUsage, "",
                          problem + "\nRun with --help for more information.\n"});
  }
  return line_;
}

}  // namespace

Result<CommandLine, EarlyExit> ParseCommandLine(int count, const char* const* arguments) {
  return Parser().Parse(count, arguments);
}

}  // namespace floe::cli
