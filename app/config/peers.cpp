#include "app/config/peers.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "app/config/derived_address.h"
#include "app/config/duration.h"
#include "app/config/fields.h"
#include "app/config/section.h"

namespace floe::config {
namespace {

constexpr std::chrono::seconds kLongestKeepalive{65535};  // As in wg(8).

/// Reads one peer at a time and remembers those before it, to find what collides.
class PeerReader {
 public:
  PeerReader(const NodeConfig& node, const std::filesystem::path& directory, ErrorLog& errors)
      : node_(node), directory_(directory), errors_(errors) {}

  void Read(const Value& table);

  std::vector<PeerConfig> Take() { return std::move(peers_); }

 private:
  void ReadIdentity(const Section& section, PeerConfig& peer) const;
  void ReadPublicKey(const Section& section, PeerConfig& peer) const;
  void ReadAllowedIps(const Section& section, PeerConfig& peer) const;
  void CheckPrefix(const Section& section, Position position, const IpPrefix& prefix) const;

  const NodeConfig& node_;
  const std::filesystem::path& directory_;
  ErrorLog& errors_;
  std::vector<PeerConfig> peers_;
};

void ReadEndpoint(const Section& section, PeerConfig& peer) {
  const auto text = section.String("endpoint");
  if (!text) {
    return;
  }
  auto endpoint = ParseHostPort(text->text);
  if (!endpoint) {
    section.Refuse(text->position, "endpoint", std::string(ToString(endpoint.error())),
                   "write \"host:port\", with IPv6 as in \"[2001:db8::1]:51820\"");
    return;
  }
  peer.endpoint = *std::move(endpoint);
}

std::optional<Duration> KeepaliveFrom(const Value& value) {
  if (value.type == ValueType::kInteger && value.integer >= 0 &&
      value.integer <= kLongestKeepalive.count()) {
    return std::chrono::seconds(value.integer);
  }
  if (value.type != ValueType::kString) {
    return std::nullopt;
  }
  const auto duration = ParseDuration(value.text);
  if (!duration || *duration > kLongestKeepalive ||
      *duration % std::chrono::seconds(1) != Duration::zero()) {
    return std::nullopt;
  }
  return duration;
}

void ReadKeepalive(const Section& section, PeerConfig& peer) {
  const Value* value = section.Any("persistent_keepalive");
  if (value == nullptr) {
    return;
  }
  const auto keepalive = KeepaliveFrom(*value);
  if (!keepalive) {
    section.Refuse(value->position, "persistent_keepalive", "is no number of seconds",
                   "write an integer from 0 to 65535, or a text like \"25s\"");
    return;
  }
  peer.persistent_keepalive = *keepalive;
}

void PeerReader::ReadIdentity(const Section& section, PeerConfig& peer) const {
  const auto name = ReadName(section, "name");
  if (!name) {
    section.Missing("name", "write what commands call this peer: name = \"b\"");
    return;
  }
  peer.name = name->text;
  if (std::ranges::find(peers_, peer.name, &PeerConfig::name) != peers_.end()) {
    section.Refuse(name->position, "name",
                   fmt::format("\"{}\" is the name of another peer", peer.name),
                   "give each peer a name of its own");
  }
}

// The text is not repeated in the error: somebody may have written a private key here.
void PeerReader::ReadPublicKey(const Section& section, PeerConfig& peer) const {
  const auto text = section.String("public_key");
  if (!text) {
    section.Missing("public_key", "write what `floe key pub` prints on that machine");
    return;
  }
  const auto refuse = [&](std::string message, std::string remedy) {
    section.Refuse(text->position, "public_key", std::move(message), std::move(remedy));
  };
  const auto key = ParsePublicKey(text->text);
  if (!key) {
    return refuse("is no key", "write 44 characters of base64, as `floe key pub` prints them");
  }
  peer.public_key = *key;
  if (*key == node_.public_key) {
    return refuse("is this node's own key", "write the key of the other machine");
  }
  if (!DiffieHellman(node_.private_key, *key)) {
    return refuse("is a key that anybody could guess", "make another with `floe key gen`");
  }
  const auto same = std::ranges::find(peers_, *key, &PeerConfig::public_key);
  if (same != peers_.end()) {
    refuse(fmt::format("is the key of peer \"{}\" too", same->name), "write each peer once");
  }
}

void PeerReader::CheckPrefix(const Section& section, Position position,
                             const IpPrefix& prefix) const {
  for (const InterfaceAddress& own : node_.addresses) {
    // A network with our address in it is how a gateway is written (0.0.0.0/0) or a hub (the
    // network of all), and our address stays ours there: the kernel looks for its own first.
    if (prefix.length == prefix.address.bits() && prefix.Contains(own.ip)) {
      section.Refuse(position, "allowed_ips",
                     fmt::format("{} is this node's own address", ToString(own.ip)),
                     "write what is behind that peer");
    }
  }
  for (const PeerConfig& other : peers_) {
    const auto overlaps = [&](const IpPrefix& theirs) { return theirs.Overlaps(prefix); };
    const auto found = std::ranges::find_if(other.allowed_ips, overlaps);
    if (found != other.allowed_ips.end()) {
      section.Refuse(position, "allowed_ips",
                     fmt::format("{} overlaps {} of peer \"{}\"", ToString(prefix),
                                 ToString(*found), other.name),
                     "let each address belong to one peer");
    }
  }
}

void PeerReader::ReadAllowedIps(const Section& section, PeerConfig& peer) const {
  for (const Text& text : section.Strings("allowed_ips")) {
    if (const auto prefix = ReadPrefix(section, "allowed_ips", text)) {
      CheckPrefix(section, text.position, *prefix);
      peer.allowed_ips.push_back(*prefix);
    }
  }
  if (peer.allowed_ips.empty()) {
    const IpAddress derived = DeriveAddress(peer.public_key);
    peer.allowed_ips.push_back({derived, derived.bits()});
    CheckPrefix(section, section.position(), peer.allowed_ips.front());
  }
}

void PeerReader::Read(const Value& table) {
  const Section section(table, table.position, "peer",
                        {"name", "public_key", "preshared_key_file", "allowed_ips", "endpoint",
                         "persistent_keepalive"},
                        errors_);
  PeerConfig peer;
  ReadIdentity(section, peer);
  ReadPublicKey(section, peer);
  peer.preshared_key = ReadKeyNamedBy(section, "preshared_key_file", directory_);
  ReadAllowedIps(section, peer);
  ReadEndpoint(section, peer);
  ReadKeepalive(section, peer);
  peers_.push_back(std::move(peer));
}

}  // namespace

std::vector<PeerConfig> ReadPeers(const std::vector<Value>& tables, const NodeConfig& node,
                                  const std::filesystem::path& directory, ErrorLog& errors) {
  PeerReader reader(node, directory, errors);
  for (const Value& table : tables) {
    reader.Read(table);
  }
  return reader.Take();
}

}  // namespace floe::config
