#include "app/config/config.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <net/if.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "app/config/config_file.h"
#include "app/config/derived_address.h"
#include "app/config/document.h"
#include "app/config/fields.h"
#include "app/config/peers.h"
#include "app/config/section.h"
#include "app/config/words.h"

namespace floe::config {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr Range kPorts = {0, 65535};
constexpr Range kMtus = {576, 9000};  // bytes; RFC 791 asks for 576 at least
constexpr Range kThreads{1, 2};
constexpr std::int64_t kIpv6Mtu = 1280;  // bytes; RFC 8200 section 5
constexpr const char* kFallbackName = "node";

std::string HostName() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0) {
    return kFallbackName;
  }
  const std::string_view name(buffer.data());
  const std::string label(name.substr(0, name.find('.')));
  return IsNodeName(label) ? label : kFallbackName;
}

/// Reads all of the file but its peers.
class ConfigReader {
 public:
  ConfigReader(const Value& root, std::filesystem::path directory, ErrorLog& errors)
      : root_(root), directory_(std::move(directory)), errors_(errors) {}

  [[nodiscard]] Config Read();

 private:
  [[nodiscard]] Section Table(std::string_view name,
                              std::initializer_list<std::string_view> known) const;
  [[nodiscard]] const std::vector<Value>& Tables(std::string_view name) const;

  void ReadNode(NodeConfig& node) const;
  void ReadAddresses(const Section& section, NodeConfig& node) const;
  void ReadServers(Config& config) const;
  void ReadRelay(const Value& table, RelayConfig& relay) const;
  void ReadRelayCredentials(const Section& section, RelayConfig& relay) const;
  void ReadPaths(PathsConfig& paths) const;
  void ReadTun(Config& config) const;
  void ReadTunnel(TunnelConfig& tunnel) const;
  void ReadRest(Config& config) const;

  const Value& root_;
  std::filesystem::path directory_;
  ErrorLog& errors_;
};

/// Reads an array of URLs with `parse`; refuses the first that is none.
template <typename Url, typename Error>
void ReadUrls(const Section& section, Result<Url, Error> (*parse)(std::string_view),
              std::string_view example, std::vector<Url>& urls) {
  for (const Text& text : section.Strings("urls")) {
    auto url = parse(text.text);
    if (!url) {
      section.Refuse(text.position, "urls", std::string(ToString(url.error())),
                     fmt::format("write it like {}", example));
      return;
    }
    urls.push_back(*std::move(url));
  }
}

/// Sets those members of `flags` that the array at `key` names, and clears the others.
template <typename T, std::size_t N>
void ReadFlags(const Section& section, std::string_view key, const Words<bool T::*, N>& words,
               const char* remedy, T& flags) {
  for (const auto& [word, member] : words) {
    flags.*member = false;
  }
  for (const Text& text : section.Strings(key)) {
    const auto known =
        std::ranges::find(words, text.text, &std::pair<std::string_view, bool T::*>::first);
    if (known == words.end()) {
      section.Refuse(text.position, key, fmt::format("holds \"{}\"", text.text), remedy);
      return;
    }
    flags.*known->second = true;
  }
}

/// The value `key` names among `words`.
template <typename T, std::size_t N>
std::optional<T> ReadWord(const Section& section, std::string_view key, const Words<T, N>& words) {
  const auto text = section.String(key);
  if (!text) {
    return std::nullopt;
  }
  std::string all;
  for (const auto& [word, value] : words) {
    if (word == text->text) {
      return value;
    }
    all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", word);
  }
  section.Refuse(text->position, key, fmt::format("is \"{}\"", text->text), "write one of " + all);
  return std::nullopt;
}

// A table that is absent reads like one that is empty, and lies at the head of the file.
Section ConfigReader::Table(std::string_view name,
                            std::initializer_list<std::string_view> known) const {
  static const Value kEmpty;
  const Entry* entry = FindEntry(root_, name);
  if (entry == nullptr) {
    return {kEmpty, {1, 1}, std::string(name), known, errors_};
  }
  if (entry->value.type != ValueType::kTable) {
    errors_.Add(entry->position, std::string(name),
                fmt::format("is {}", ToString(entry->value.type)),
                fmt::format("write it as a table: [{}]", name));
  }
  return {entry->value, entry->value.position, std::string(name), known, errors_};
}

const std::vector<Value>& ConfigReader::Tables(std::string_view name) const {
  static const std::vector<Value> kNone;
  const Entry* entry = FindEntry(root_, name);
  if (entry == nullptr) {
    return kNone;
  }
  const Value& value = entry->value;
  const bool tables =
      value.type == ValueType::kArray && std::ranges::all_of(value.items, [](const Value& item) {
        return item.type == ValueType::kTable;
      });
  if (!tables) {
    errors_.Add(entry->position, std::string(name), fmt::format("is {}", ToString(value.type)),
                fmt::format("write one [[{}]] for each", name));
    return kNone;
  }
  return value.items;
}

Config ConfigReader::Read() {
  const Section top(root_, {1, 1}, "",
                    {"schema", "node", "rendezvous", "stun", "relay", "paths", "tun", "tunnel",
                     "peer", "control", "log", "routing"},
                    errors_);
  static_cast<void>(top.Integer("schema", {kSchema, kSchema}));
  Config config;
  ReadNode(config.node);
  ReadServers(config);
  ReadPaths(config.paths);
  ReadTun(config);
  ReadTunnel(config.tunnel);
  ReadRest(config);
  config.peers = ReadPeers(Tables("peer"), config.node, directory_, errors_);
  return config;
}

void ConfigReader::ReadNode(NodeConfig& node) const {
  const Section section =
      Table("node", {"name", "private_key_file", "addresses", "listen_port", "fwmark"});
  const auto name = ReadName(section, "name");
  node.name = name ? name->text : HostName();
  if (section.Any("private_key_file") == nullptr) {
    section.Missing("private_key_file", "name a file made by `(umask 077; floe key gen > a.key)`");
  }
  node.private_key_file = PathNamedBy(section, "private_key_file", directory_);
  if (auto key = ReadKeyNamedBy(section, "private_key_file", directory_)) {
    node.private_key = *std::move(key);
    node.public_key = DerivePublicKey(node.private_key);
  }
  ReadAddresses(section, node);
  node.listen_port = static_cast<std::uint16_t>(
      section.Integer("listen_port", kPorts).value_or(kDefaultListenPort));
  node.fwmark = static_cast<std::uint32_t>(section.Integer("fwmark", {0, UINT32_MAX}).value_or(0));
}

void ConfigReader::ReadAddresses(const Section& section, NodeConfig& node) const {
  for (const Text& text : section.Strings("addresses")) {
    InterfaceAddress address;
    const auto prefix = ReadPrefix(section, "addresses", text, &address.ip);
    if (!prefix) {
      return;
    }
    address.prefix_length = prefix->length;
    if (address.ip.is_unspecified() || address.ip.is_multicast() || address.ip.is_loopback()) {
      section.Refuse(text.position, "addresses",
                     fmt::format("{} cannot be a node's address", ToString(address.ip)),
                     "write an address of the private network, like \"10.71.0.1/24\"");
    }
    if (std::ranges::find(node.addresses, address.ip, &InterfaceAddress::ip) !=
        node.addresses.end()) {
      section.Refuse(text.position, "addresses",
                     fmt::format("holds {} twice", ToString(address.ip)), "write it once");
    }
    node.addresses.push_back(address);
  }
  if (node.addresses.empty()) {
    const IpAddress derived = DeriveAddress(node.public_key);
    node.addresses.push_back({derived, derived.bits()});
  }
}

void ConfigReader::ReadServers(Config& config) const {
  ReadUrls(Table("rendezvous", {"urls"}), ParseRendezvousUrl,
           R"("wss://rv.example.net" or "ws://198.51.100.10:8080")", config.rendezvous);
  ReadUrls(Table("stun", {"urls"}), ParseStunUrl, R"("stun:198.51.100.11:3478")", config.stun);
  for (const Value& table : Tables("relay")) {
    ReadRelay(table, config.relays.emplace_back());
  }
}

void ConfigReader::ReadRelay(const Value& table, RelayConfig& relay) const {
  const Section section(table, table.position, "relay",
                        {"urls", "username", "password_file", "secret_file"}, errors_);
  ReadUrls(
      section, ParseRelayUrl,
      R"("turn:198.51.100.11:3478?transport=udp" or "turns:relay.example.net:443?transport=tcp")",
      relay.urls);
  if (relay.urls.empty()) {
    section.Missing("urls", "write urls = [\"turn:HOST:3478?transport=udp\"]");
  }
  ReadRelayCredentials(section, relay);
}

void ConfigReader::ReadRelayCredentials(const Section& section, RelayConfig& relay) const {
  constexpr const char* kEither =
      "write either username and password_file, or secret_file for a shared secret";
  const auto username = section.String("username");
  relay.username = username ? username->text : "";
  relay.password_file = PathNamedBy(section, "password_file", directory_);
  relay.shared_secret_file = PathNamedBy(section, "secret_file", directory_);
  relay.password = ReadSecretNamedBy(section, "password_file", directory_);
  relay.shared_secret = ReadSecretNamedBy(section, "secret_file", directory_);
  const Value* const secret_file = section.Any("secret_file");
  const bool has_password = section.Any("password_file") != nullptr;
  if (secret_file != nullptr && has_password) {
    section.Refuse(secret_file->position, "secret_file", "stands beside password_file", kEither);
  }
  if (secret_file == nullptr && !has_password) {
    section.Missing("password_file", kEither);
  }
  if (has_password && !username) {
    section.Missing("username", kEither);
  }
}

std::vector<std::string> ReadPatterns(const Section& section, std::string_view key) {
  std::vector<std::string> patterns;
  for (const Text& text : section.Strings(key)) {
    if (text.text.empty()) {
      section.Refuse(text.position, key, "holds an empty pattern",
                     "write patterns like \"docker*\"");
    }
    patterns.push_back(text.text);
  }
  return patterns;
}

std::vector<IpPrefix> ReadPrefixes(const Section& section, std::string_view key) {
  std::vector<IpPrefix> prefixes;
  for (const Text& text : section.Strings(key)) {
    if (const auto prefix = ReadPrefix(section, key, text)) {
      prefixes.push_back(*prefix);
    }
  }
  return prefixes;
}

void ReadPortMapping(const Section& section, PathsConfig& paths) {
  if (section.Any("portmap") == nullptr) {
    return;
  }
  ReadFlags(section, "portmap", kPortMappings,
            "write some of \"pcp\", \"nat-pmp\", \"upnp\", or [] for none", paths);
}

void ConfigReader::ReadPaths(PathsConfig& paths) const {
  const Section section = Table("paths", {"prefer", "privacy", "interfaces", "ignore_interfaces",
                                          "ignore_cidrs", "hide_interfaces", "hide_cidrs",
                                          "prefer_interfaces", "portmap", "port_prediction"});
  paths.prefer = ReadWord(section, "prefer", kPathPreferences).value_or(PathPreference::kAuto);
  paths.privacy = ReadWord(section, "privacy", kPrivacyModes).value_or(Privacy::kAll);
  paths.interfaces = ReadPatterns(section, "interfaces");
  paths.ignore_interfaces = ReadPatterns(section, "ignore_interfaces");
  paths.ignore_cidrs = ReadPrefixes(section, "ignore_cidrs");
  paths.hide_interfaces = ReadPatterns(section, "hide_interfaces");
  paths.hide_cidrs = ReadPrefixes(section, "hide_cidrs");
  paths.prefer_interfaces = ReadPatterns(section, "prefer_interfaces");
  ReadPortMapping(section, paths);
  paths.port_prediction = section.Boolean("port_prediction").value_or(false);
  if (paths.prefer == PathPreference::kDirectOnly && paths.privacy == Privacy::kRelayOnly) {
    section.Refuse(section.Any("privacy")->position, "privacy",
                   "is \"relay-only\", and prefer is \"direct-only\"", "leave out one of them");
  }
}

bool IsInterfaceName(std::string_view name) {
  // What the kernel takes (dev_valid_name); '%' would make it fill in a number.
  return name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::ranges::all_of(
             name, [](char c) { return c > ' ' && c < 0x7F && c != '/' && c != ':' && c != '%'; });
}

/// "auto", "off", or a list of those that may be used.
void ReadOffload(const Section& section, OffloadConfig& offload) {
  constexpr const char* kRemedy =
      "write \"auto\", \"off\", or a list of \"tso\", \"uso\", \"coalesce\", \"udp-segment\", "
      "\"udp-gro\"";
  const Value* const value = section.Any("offload");
  if (value == nullptr || (value->type == ValueType::kString && value->text == "auto")) {
    return;
  }
  offload = {.tso = false, .uso = false, .coalesce = false, .udp_segment = false, .udp_gro = false};
  if (value->type == ValueType::kString) {
    if (value->text != "off") {
      section.Refuse(value->position, "offload", fmt::format("is \"{}\"", value->text), kRemedy);
    }
    return;
  }
  ReadFlags(section, "offload", kOffloads, kRemedy, offload);
}

void ConfigReader::ReadTun(Config& config) const {
  const Section section = Table("tun", {"name", "mtu", "offload", "threads"});
  ReadOffload(section, config.tun.offload);
  config.tun.two_threads = section.Integer("threads", kThreads).value_or(2) == 2;
  if (const auto name = section.String("name")) {
    if (!IsInterfaceName(name->text)) {
      section.Refuse(name->position, "name", "is no name for a network interface",
                     "write 1 to 15 characters without '/', ':', '%' and blanks");
    }
    config.tun.name = name->text;
  }
  const Value* value = section.Any("mtu");
  if (value == nullptr || (value->type == ValueType::kString && value->text == "auto")) {
    return;
  }
  if (value->type == ValueType::kString) {
    section.Refuse(value->position, "mtu", fmt::format("is \"{}\"", value->text),
                   "write an integer from 576 to 9000, or \"auto\"");
    return;
  }
  const auto mtu = section.Integer("mtu", kMtus);
  const bool has_v6 = std::ranges::any_of(
      config.node.addresses, [](const InterfaceAddress& own) { return own.ip.is_v6(); });
  if (mtu && *mtu < kIpv6Mtu && has_v6) {
    section.Refuse(value->position, "mtu",
                   fmt::format("is {}, and this node has an IPv6 address", *mtu),
                   "write 1280 or more, which IPv6 needs");
  }
  config.tun.mtu = static_cast<std::uint16_t>(mtu.value_or(kDefaultMtu));
}

void ConfigReader::ReadTunnel(TunnelConfig& tunnel) const {
  tunnel.crypto =
      ReadWord(Table("tunnel", {"crypto"}), "crypto", kCiphers).value_or(CipherChoice::kPadded);
}

void ConfigReader::ReadRest(Config& config) const {
  if (const auto socket = Table("control", {"socket"}).String("socket")) {
    config.control_socket = directory_ / socket->text;
  }
  config.log_level =
      ReadWord(Table("log", {"level"}), "level", kLogLevels).value_or(log::Level::kInfo);
  config.allow_overlap =
      Table("routing", {"allow_overlap"}).Boolean("allow_overlap").value_or(false);
}

}  // namespace

std::string EndpointText(const PeerConfig& peer) {
  return peer.endpoint ? ToString(*peer.endpoint) : std::string(kAnyEndpoint);
}

Result<Config, ConfigError> ParseConfig(std::string_view text, const std::filesystem::path& path) {
  const auto root = ParseDocument(text, path.native());
  if (!root) {
    return Fail(root.error());
  }
  ErrorLog errors(path.native());
  Config config = ConfigReader(*root, path.parent_path(), errors).Read();
  if (errors.first()) {
    return Fail(*errors.first());
  }
  return config;
}

Result<Config, ConfigError> LoadConfig(const std::filesystem::path& path) {
  const auto text = ReadConfigFile(path);
  if (!text) {
    return Fail(text.error());
  }
  return ParseConfig(*text, path);
}

}  // namespace floe::config
