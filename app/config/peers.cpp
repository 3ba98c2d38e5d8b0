#include "app/config/peers.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>

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
  /// The entry of prefixes_ that has an address in common with `prefix`, if any.
  [[nodiscard]] std::map<IpPrefix, std::size_t>::const_iterator FindOverlap(
      const IpPrefix& prefix) const;
  void Remember(PeerConfig peer);

  const NodeConfig& node_;
  const std::filesystem::path& directory_;
  ErrorLog& errors_;
  std::vector<PeerConfig> peers_;
  // Places in peers_. With tens of thousands of peers, looking at all of them for each takes
  // minutes.
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_map<PublicKey, std::size_t, PublicKeyHash> by_key_;
  std::map<IpPrefix, std::size_t> prefixes_;  // No two of them overlap.
};

void ReadEndpoint(const Section& section, PeerConfig& peer) {
  const auto text = section.String("endpoint");
  if (!text) {
    return;
  }
  peer.is_plain = true;
  if (text->text == kAnyEndpoint) {
    return;
  }
  auto endpoint = ParseHostPort(text->text);
  if (!endpoint) {
    section.Refuse(text->position, "endpoint", std::string(ToString(endpoint.error())),
                   "write \"host:port\", with IPv6 as in \"[2001:db8::1]:51820\", or \"any\"");
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
  if (by_name_.contains(peer.name)) {
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
  if (const auto same = by_key_.find(*key); same != by_key_.end()) {
    refuse(fmt::format("is the key of peer \"{}\" too", peers_[same->second].name),
           "write each peer once");
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
  if (const auto found = FindOverlap(prefix); found != prefixes_.end()) {
    section.Refuse(position, "allowed_ips",
                   fmt::format("{} overlaps {} of peer \"{}\"", ToString(prefix),
                               ToString(found->first), peers_[found->second].name),
                   "let each address belong to one peer");
  }
}

// Prefixes that do not overlap are in the order of their addresses, so only the next one before and
// the next one behind can have an address in common with another.
std::map<IpPrefix, std::size_t>::const_iterator PeerReader::FindOverlap(
    const IpPrefix& prefix) const {
  const auto next = prefixes_.lower_bound({prefix.address, 0});
  if (next != prefixes_.end() && next->first.Overlaps(prefix)) {
    return next;
  }
  if (next != prefixes_.begin() && std::prev(next)->first.Overlaps(prefix)) {
    return std::prev(next);
  }
  return prefixes_.end();
}

void PeerReader::Remember(PeerConfig peer) {
  const std::size_t place = peers_.size();
  by_name_.emplace(peer.name, place);
  by_key_.emplace(peer.public_key, place);
  std::vector<IpPrefix> widest_first = peer.allowed_ips;
  std::ranges::sort(widest_first, {}, &IpPrefix::length);
  for (const IpPrefix& prefix : widest_first) {  // Its own may lie within each other.
    if (FindOverlap(prefix) == prefixes_.end()) {
      prefixes_.emplace(prefix, place);
    }
  }
  peers_.push_back(std::move(peer));
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
  peer.preshared_key_file = PathNamedBy(section, "preshared_key_file", directory_);
  peer.preshared_key = ReadKeyNamedBy(section, "preshared_key_file", directory_);
  ReadAllowedIps(section, peer);
  ReadEndpoint(section, peer);
  ReadKeepalive(section, peer);
  Remember(std::move(peer));
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
