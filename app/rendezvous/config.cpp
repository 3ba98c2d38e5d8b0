#include "app/rendezvous/config.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "app/config/config_file.h"
#include "app/config/document.h"
#include "app/config/fields.h"
#include "app/config/section.h"

namespace floe::rendezvous {
namespace {

using config::Section;
using config::Value;

class Reader {
 public:
  Reader(const Value& root, std::filesystem::path directory, config::ErrorLog& errors)
      : root_(root), directory_(std::move(directory)), errors_(errors) {}

  [[nodiscard]] ServerConfig Read() const {
    const Section all(root_, {1, 1}, "", {"server", "tls", "turn"}, errors_);
    ServerConfig config;
    ReadServer(config);
    ReadTls(config);
    ReadTurn(config);
    return config;
  }

 private:
  [[nodiscard]] Section Table(std::string_view name,
                              std::initializer_list<std::string_view> known) const {
    static const Value kEmpty;
    const config::Entry* entry = config::FindEntry(root_, name);
    if (entry == nullptr) {
      return {kEmpty, {1, 1}, std::string(name), known, errors_};
    }
    if (entry->value.type != config::ValueType::kTable) {
      errors_.Add(entry->position, std::string(name), "is not a table",
                  "write it as a table: [" + std::string(name) + "]");
      return {kEmpty, entry->position, std::string(name), known, errors_};
    }
    return {entry->value, entry->value.position, std::string(name), known, errors_};
  }

  void ReadServer(ServerConfig& config) const {
    const Section section = Table("server", {"listen"});
    for (const config::Text& text : section.Strings("listen")) {
      const auto address = ParseSocketAddress(text.text);
      if (!address || address->port == 0) {
        section.Refuse(text.position, "listen", "holds \"" + text.text + '"',
                       "write addresses with ports: \"203.0.113.1:443\" or \"[2001:db8::1]:443\"");
        return;
      }
      config.listen.push_back(*address);
    }
    if (config.listen.empty()) {
      section.Missing("listen", "name the addresses to serve: listen = [\"203.0.113.1:443\"]");
    }
  }

  void ReadTls(ServerConfig& config) const {
    const Section section = Table("tls", {"certificate", "key"});
    const auto certificate = config::PathNamedBy(section, "certificate", directory_);
    const auto key = config::PathNamedBy(section, "key", directory_);
    if (certificate.empty() != key.empty()) {
      section.Missing(key.empty() ? "key" : "certificate",
                      "name both PEM files, or neither for ws:// behind something that adds TLS");
      return;
    }
    if (!key.empty()) {
      config.tls = TlsFiles{.certificate = certificate.native(), .key = key.native()};
    }
  }

  void ReadTurn(ServerConfig& config) const {
    const Section section = Table("turn", {"addresses", "secret_file"});
    for (const config::Text& text : section.Strings("addresses")) {
      const auto ip = ParseIpAddress(text.text);
      if (!ip || ip->is_unspecified()) {
        section.Refuse(text.position, "addresses", "holds \"" + text.text + '"',
                       "write addresses of this machine, without ports: nodes are told them");
        return;
      }
      config.addresses.push_back(*ip);
    }
    if (config.addresses.empty()) {
      config.addresses = AddressesOf(config.listen);
      const bool wildcard = std::ranges::any_of(config.addresses, &IpAddress::is_unspecified);
      if (wildcard) {
        section.Missing("addresses",
                        "server.listen has a wildcard address, which nodes cannot be "
                        "told: name those of STUN and TURN here");
      }
    }
    config.turn_secret = config::ReadSecretNamedBy(section, "secret_file", directory_);
  }

  const Value& root_;
  std::filesystem::path directory_;
  config::ErrorLog& errors_;
};

}  // namespace

std::vector<IpAddress> AddressesOf(const std::vector<SocketAddress>& listen) {
  std::vector<IpAddress> addresses;
  for (const SocketAddress& address : listen) {
    if (std::ranges::find(addresses, address.ip) == addresses.end()) {
      addresses.push_back(address.ip);
    }
  }
  return addresses;
}

Result<ServerConfig, config::ConfigError> ParseServerConfig(std::string_view text,
                                                            const std::filesystem::path& path) {
  const auto root = config::ParseDocument(text, path.native());
  if (!root) {
    return Fail(root.error());
  }
  config::ErrorLog errors(path.native());
  ServerConfig config = Reader(*root, path.parent_path(), errors).Read();
  if (errors.first()) {
    return Fail(*errors.first());
  }
  return config;
}

Result<ServerConfig, config::ConfigError> LoadServerConfig(const std::filesystem::path& path) {
  const auto text = config::ReadConfigFile(path);
  if (!text) {
    return Fail(text.error());
  }
  return ParseServerConfig(*text, path);
}

}  // namespace floe::rendezvous
