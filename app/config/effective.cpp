#include "app/config/effective.h"

#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <system_error>
#include <vector>

#include "app/config/toml_text.h"
#include "app/config/words.h"

namespace floe::config {
namespace {

std::string PathText(const std::filesystem::path& path) {
  std::error_code code;
  const auto whole = std::filesystem::absolute(path, code);
  return Quote((code ? path : whole.lexically_normal()).native());
}

std::string Texts(const std::vector<std::string>& texts) {
  return QuoteList(texts, std::identity());
}

std::string Prefixes(const std::vector<IpPrefix>& prefixes) {
  return QuoteList(prefixes, [](const IpPrefix& prefix) { return ToString(prefix); });
}

template <typename Url>
std::string Urls(const std::vector<Url>& urls) {
  return QuoteList(urls, [](const Url& url) { return url.text; });
}

/// The words of the members that are set.
template <typename T, std::size_t N>
std::string Flags(const Words<bool T::*, N>& words, const T& flags) {
  std::vector<std::string> set;
  for (const auto& [word, member] : words) {
    if (flags.*member) {
      set.emplace_back(word);
    }
  }
  return Texts(set);
}

std::string NodeText(const NodeConfig& node) {
  return fmt::format(
      "\n[node]\nname = {}\nprivate_key_file = {}\naddresses = {}\nlisten_port = {}\nfwmark = {}\n",
      Quote(node.name), PathText(node.private_key_file),
      QuoteList(node.addresses,
                [](const InterfaceAddress& own) {
                  return fmt::format("{}/{}", ToString(own.ip), own.prefix_length);
                }),
      node.listen_port, node.fwmark);
}

std::string RelayText(const RelayConfig& relay) {
  std::string text = fmt::format("\n[[relay]]\nurls = {}\n", Urls(relay.urls));
  if (!relay.username.empty()) {
    text += fmt::format("username = {}\n", Quote(relay.username));
  }
  const bool shared = !relay.shared_secret_file.empty();
  return text + fmt::format("{} = {}\n", shared ? "secret_file" : "password_file",
                            PathText(shared ? relay.shared_secret_file : relay.password_file));
}

std::string PathsText(const PathsConfig& paths) {
  return fmt::format("\n[paths]\nprefer = \"{}\"\nprivacy = \"{}\"\ninterfaces = {}\n",
                     WordFor(kPathPreferences, paths.prefer), WordFor(kPrivacyModes, paths.privacy),
                     Texts(paths.interfaces)) +
         fmt::format(
             "ignore_interfaces = {}\nignore_cidrs = {}\nhide_interfaces = {}\nhide_cidrs = {}\n",
             Texts(paths.ignore_interfaces), Prefixes(paths.ignore_cidrs),
             Texts(paths.hide_interfaces), Prefixes(paths.hide_cidrs)) +
         fmt::format("prefer_interfaces = {}\nportmap = {}\nport_prediction = {}\n",
                     Texts(paths.prefer_interfaces), Flags(kPortMappings, paths),
                     paths.port_prediction);
}

std::string PeerText(const PeerConfig& peer) {
  std::string text = fmt::format("\n[[peer]]\nname = {}\npublic_key = {}\n", Quote(peer.name),
                                 Quote(ToString(peer.public_key)));
  if (!peer.preshared_key_file.empty()) {
    text += fmt::format("preshared_key_file = {}\n", PathText(peer.preshared_key_file));
  }
  text += fmt::format("allowed_ips = {}\n", Prefixes(peer.allowed_ips));
  if (peer.is_plain) {
    text += fmt::format("endpoint = {}\n", Quote(EndpointText(peer)));
  }
  return text +
         fmt::format(
             "persistent_keepalive = {}\n",
             std::chrono::duration_cast<std::chrono::seconds>(peer.persistent_keepalive).count());
}

}  // namespace

std::string ToToml(const Config& config) {
  std::string text = "schema = 1\n" + NodeText(config.node);
  text += fmt::format("\n[rendezvous]\nurls = {}\n\n[stun]\nurls = {}\n", Urls(config.rendezvous),
                      Urls(config.stun));
  for (const RelayConfig& relay : config.relays) {
    text += RelayText(relay);
  }
  text += PathsText(config.paths);
  text += fmt::format("\n[tun]\nname = {}\nmtu = {}\nthreads = {}\noffload = {}\n",
                      Quote(config.tun.name), config.tun.mtu, config.tun.two_threads ? 2 : 1,
                      Flags(kOffloads, config.tun.offload));
  text += fmt::format("\n[tunnel]\ncrypto = \"{}\"\n\n[control]\nsocket = {}\n",
                      WordFor(kCiphers, config.tunnel.crypto), PathText(config.control_socket));
  text += fmt::format("\n[log]\nlevel = \"{}\"\n\n[routing]\nallow_overlap = {}\n",
                      WordFor(kLogLevels, config.log_level), config.allow_overlap);
  for (const PeerConfig& peer : config.peers) {
    text += PeerText(peer);
  }
  return text;
}

}  // namespace floe::config
