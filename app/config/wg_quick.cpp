#include "app/config/wg_quick.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <fmt/format.h>

#include "app/config/fields.h"
#include "app/config/toml_text.h"

namespace floe::config {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Keys and sections are told apart without regard to case.
std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    items.push_back(Trim(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

/// In decimal, or in hexadecimal behind "0x".
std::optional<std::uint32_t> ParseNumber(std::string_view text, std::uint32_t largest) {
  const bool hexadecimal = text.starts_with("0x");
  text.remove_prefix(hexadecimal ? 2 : 0);
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number <= largest ? std::optional(number) : std::nullopt;
}

/// "# nas", "# Name = nas": what people write beside [Peer]. Empty if it is no name.
std::string NameIn(std::string_view comment) {
  comment = Trim(comment.substr(std::min(comment.find_first_not_of('#'), comment.size())));
  if (const std::size_t equals = comment.find('='); equals != std::string_view::npos) {
    const std::string key = ToLower(Trim(comment.substr(0, equals)));
    comment = key == "name" || key == "friendly_name" ? Trim(comment.substr(equals + 1)) : "";
  }
  return IsNodeName(comment) ? std::string(comment) : "";
}

class WgQuickReader {
 public:
  explicit WgQuickReader(const std::string& file) : errors_(file) {}

  [[nodiscard]] Result<WgQuick, ConfigError> Read(std::string_view text);

 private:
  enum class Place : std::uint8_t { kNowhere, kInterface, kPeer };

  void ReadLine(std::string_view line);
  void ReadHeading(std::string_view heading);
  void ReadInterface(const std::string& key, std::string_view name, std::string_view value);
  void ReadPeer(const std::string& key, std::string_view name, std::string_view value);
  void ReadAddresses(std::string_view value);
  void ReadAllowedIps(std::string_view value);
  void FinishPeer();
  void NamePeers();

  void Refuse(std::string_view key, std::string message, std::string remedy) {
    errors_.Add({.line = line_, .column = 1}, std::string(key), std::move(message),
                std::move(remedy));
  }

  void RefuseKey(std::string_view section, std::string_view name);

  void Remark(std::string text) { config_.remarks.push_back({line_, std::move(text)}); }

  ErrorLog errors_;
  WgQuick config_;
  std::uint32_t line_ = 0;
  Place place_ = Place::kNowhere;
  bool has_interface_ = false;
  bool has_private_key_ = false;
  bool has_public_key_ = false;  // The peer that is being read.
  std::uint32_t peer_line_ = 0;
  std::string comment_;    // On the line before, if that was one.
  bool may_name_ = false;  // Nothing but comments has come since [Peer].
};

Result<WgQuick, ConfigError> WgQuickReader::Read(std::string_view text) {
  while (!text.empty() && !errors_.first()) {
    ++line_;
    const std::size_t end = std::min(text.find('\n'), text.size());
    ReadLine(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  FinishPeer();
  if (!has_interface_) {
    line_ = 0;
    Refuse("", "has no section [Interface]", "name a file for wg-quick(8)");
  } else if (!has_private_key_) {
    Refuse("Interface.PrivateKey", "is missing", "write the key that `wg genkey` has made");
  }
  if (errors_.first()) {
    return Fail(*errors_.first());
  }
  NamePeers();
  if (config_.addresses.empty()) {
    config_.remarks.push_back(
        {0, "there is no Address: floe takes the one that follows from the key"});
  }
  return std::move(config_);
}

void WgQuickReader::ReadLine(std::string_view line) {
  const std::size_t hash = std::min(line.find('#'), line.size());
  const std::string_view comment = line.substr(hash);
  const std::string_view content = Trim(line.substr(0, hash));
  if (content.empty()) {
    if (may_name_ && config_.peers.back().name.empty()) {
      config_.peers.back().name = NameIn(comment);
    }
    comment_ = comment;
    return;
  }
  may_name_ = false;
  if (content.front() == '[') {
    ReadHeading(content);
    return;
  }
  comment_.clear();
  const std::size_t equals = content.find('=');
  if (equals == std::string_view::npos || place_ == Place::kNowhere) {
    Refuse("", "is neither a section nor a key in one", "write [Interface], [Peer] or Key = value");
    return;
  }
  const std::string_view name = Trim(content.substr(0, equals));
  const std::string_view value = Trim(content.substr(equals + 1));
  const std::string key = ToLower(name);
  place_ == Place::kInterface ? ReadInterface(key, name, value) : ReadPeer(key, name, value);
}

void WgQuickReader::ReadHeading(std::string_view heading) {
  FinishPeer();
  const std::string lower = ToLower(heading);
  if (lower == "[interface]") {
    place_ = Place::kInterface;
    has_interface_ = true;
  } else if (lower == "[peer]") {
    place_ = Place::kPeer;
    has_public_key_ = false;
    peer_line_ = line_;
    PeerConfig& peer = config_.peers.emplace_back();
    peer.is_plain = true;
    peer.name = NameIn(comment_);
    may_name_ = true;
  } else {
    Refuse("", "is no section that there is", "write [Interface] or [Peer]");
  }
  comment_.clear();
}

void WgQuickReader::FinishPeer() {
  if (place_ != Place::kPeer || errors_.first()) {
    return;
  }
  const PeerConfig& peer = config_.peers.back();
  if (!has_public_key_) {
    line_ = peer_line_;
    Refuse("Peer.PublicKey", "is missing", "write the key of the other device");
  } else if (!peer.endpoint) {
    config_.remarks.push_back(
        {peer_line_,
         "this peer has no Endpoint: floe waits until it calls. If it runs floe, remove the "
         "endpoint, and floe looks for it through a rendezvous"});
  }
  if (peer.allowed_ips.empty()) {
    config_.remarks.push_back(
        {peer_line_,
         "this peer has no AllowedIPs: floe takes the address that follows from its "
         "key"});
  }
  place_ = Place::kNowhere;
}

/// What is no word may be a secret that has lost its key.
void WgQuickReader::RefuseKey(std::string_view section, std::string_view name) {
  constexpr std::size_t kLongest = 24;  // characters
  const bool word = name.size() <= kLongest && std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                    });
  Refuse(fmt::format("{}{}{}", section, word ? "." : "", word ? name : ""),
         word ? "is no key that there is" : "holds a line that is no key", "correct or remove it");
}

// Values of keys are not repeated in errors: somebody may have mixed up which is the private one.
void WgQuickReader::ReadInterface(const std::string& key, std::string_view name,
                                  std::string_view value) {
  if (key == "privatekey") {
    auto private_key = ParseSecretKey(value);
    if (!private_key || private_key->is_zero()) {
      return Refuse("Interface.PrivateKey", "is no key", "write what `wg genkey` prints");
    }
    config_.private_key = std::move(*private_key);
    has_private_key_ = true;
  } else if (key == "address") {
    ReadAddresses(value);
  } else if (key == "listenport") {
    const auto port = ParseNumber(value, 65535);
    if (!port) {
      return Refuse("Interface.ListenPort", "is no port", "write an integer from 0 to 65535");
    }
    config_.listen_port = static_cast<std::uint16_t>(*port);
  } else if (key == "mtu") {
    const auto mtu = ParseNumber(value, 65535);
    if (!mtu) {
      return Refuse("Interface.MTU", "is no number of bytes", "write one like 1420");
    }
    config_.mtu = static_cast<std::uint16_t>(*mtu);
  } else if (key == "fwmark") {
    const auto mark = value == "off" ? 0U : ParseNumber(value, UINT32_MAX);
    if (!mark) {
      return Refuse("Interface.FwMark", "is no number", "write one like 0xca6c, or off");
    }
    config_.fwmark = *mark;
  } else if (key == "table") {
    if (ToLower(value) != "auto") {
      Remark("Table is left out: floe puts its routes into the main table");
    }
  } else if (key == "dns") {
    Remark("DNS is left out: floe does not touch it");
  } else if (key == "saveconfig") {
    Remark("SaveConfig is left out: floe never writes its configuration");
  } else if (key == "preup" || key == "postup" || key == "predown" || key == "postdown") {
    Remark(fmt::format("{} is left out: floe runs no commands", name));
  } else {
    RefuseKey("Interface", name);
  }
}

void WgQuickReader::ReadAddresses(std::string_view value) {
  for (const std::string_view item : SplitList(value)) {
    InterfaceAddress address;
    const auto prefix = ParseIpPrefix(item, &address.ip);
    if (!prefix) {
      return Refuse("Interface.Address", "holds something that is no address",
                    "write one like 10.0.0.2/24");
    }
    address.prefix_length = prefix->length;
    config_.addresses.push_back(address);
  }
}

void WgQuickReader::ReadPeer(const std::string& key, std::string_view name,
                             std::string_view value) {
  PeerConfig& peer = config_.peers.back();
  if (key == "publickey") {
    const auto public_key = ParsePublicKey(value);
    if (!public_key) {
      return Refuse("Peer.PublicKey", "is no key", "write what `wg pubkey` prints");
    }
    peer.public_key = *public_key;
    has_public_key_ = true;
  } else if (key == "presharedkey") {
    auto preshared_key = ParseSecretKey(value);
    if (!preshared_key) {
      return Refuse("Peer.PresharedKey", "is no key", "write what `wg genpsk` prints");
    }
    peer.preshared_key.reset();
    if (!preshared_key->is_zero()) {  // Which is how wg(8) writes that there is none.
      peer.preshared_key = std::move(*preshared_key);
    }
  } else if (key == "allowedips") {
    ReadAllowedIps(value);
  } else if (key == "endpoint") {
    auto endpoint = ParseHostPort(value);
    if (!endpoint) {
      return Refuse("Peer.Endpoint", std::string(ToString(endpoint.error())),
                    "write host:port, with IPv6 as in [2001:db8::1]:51820");
    }
    peer.endpoint = *std::move(endpoint);
  } else if (key == "persistentkeepalive") {
    const auto seconds = value == "off" ? 0U : ParseNumber(value, 65535);
    if (!seconds) {
      return Refuse("Peer.PersistentKeepalive", "is no number of seconds",
                    "write an integer from 0 to 65535, or off");
    }
    peer.persistent_keepalive = std::chrono::seconds(*seconds);
  } else {
    RefuseKey("Peer", name);
  }
}

void WgQuickReader::ReadAllowedIps(std::string_view value) {
  for (const std::string_view item : SplitList(value)) {
    const auto prefix = ParseIpPrefix(item);
    if (!prefix) {
      return Refuse("Peer.AllowedIPs", "holds something that is no network",
                    "write some like 10.0.0.0/24, fd00::/64");
    }
    config_.peers.back().allowed_ips.push_back(*prefix);
  }
}

/// WireGuard knows no names, and floe wants one for each.
void WgQuickReader::NamePeers() {
  std::vector<std::string> taken;
  for (std::size_t i = 0; i < config_.peers.size(); ++i) {
    std::string& name = config_.peers[i].name;
    if (name.empty() || std::ranges::find(taken, name) != taken.end()) {
      name = fmt::format("peer{}", i + 1);
    }
    while (std::ranges::find(taken, name) != taken.end()) {
      name += '_';
    }
    taken.push_back(name);
  }
}

std::string ToToml(const PeerConfig& peer) {
  std::string text = fmt::format("\n[[peer]]\nname = {}\npublic_key = {}\n", Quote(peer.name),
                                 Quote(ToString(peer.public_key)));
  if (peer.preshared_key) {
    text += fmt::format("preshared_key_file = {}\n", Quote(PresharedKeyFile(peer)));
  }
  if (!peer.allowed_ips.empty()) {
    text += fmt::format("allowed_ips = {}\n",
                        QuoteList(peer.allowed_ips, [](const auto& ip) { return ToString(ip); }));
  }
  text += fmt::format("endpoint = {}\n", Quote(EndpointText(peer)));
  if (peer.persistent_keepalive > Duration::zero()) {
    text += fmt::format(
        "persistent_keepalive = {}\n",
        std::chrono::duration_cast<std::chrono::seconds>(peer.persistent_keepalive).count());
  }
  return text;
}

}  // namespace

Result<WgQuick, ConfigError> ParseWgQuick(std::string_view text, const std::string& file) {
  return WgQuickReader(file).Read(text);
}

std::string PresharedKeyFile(const PeerConfig& peer) {
  return peer.name + ".psk";
}

std::string ToToml(const WgQuick& config, std::string_view source, std::string_view key_file) {
  std::string text =
      fmt::format("# From {}, by `floe import wg`.\nschema = 1\n\n[node]\nprivate_key_file = {}\n",
                  Quote(source), Quote(key_file));
  if (!config.addresses.empty()) {
    text += fmt::format("addresses = {}\n", QuoteList(config.addresses, [](const auto& address) {
                          return fmt::format("{}/{}", ToString(address.ip), address.prefix_length);
                        }));
  }
  if (config.listen_port) {
    text += fmt::format("listen_port = {}\n", *config.listen_port);
  }
  if (config.fwmark) {
    text += fmt::format("fwmark = {}\n", *config.fwmark);
  }
  if (config.mtu) {
    text += fmt::format("\n[tun]\nmtu = {}\n", *config.mtu);
  }
  for (const PeerConfig& peer : config.peers) {
    text += ToToml(peer);
  }
  return text;
}

}  // namespace floe::config
