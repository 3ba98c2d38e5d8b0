#include "app/config/fields.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/config/secret_file.h"

namespace floe::config {
namespace {

constexpr std::size_t kLongestName = 63;  // characters: what fits a DNS label.

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool IsNodeName(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && IsAlphanumeric(name.front()) &&
         std::ranges::all_of(
             name, [](char c) { return IsAlphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

std::optional<Text> ReadName(const Section& section, std::string_view key) {
  auto name = section.String(key);
  if (name && !IsNodeName(name->text)) {
    section.Refuse(name->position, key, "is no usable name",
                   "write 1 to 63 letters, digits, '.', '-' or '_', a letter or digit first");
    return std::nullopt;
  }
  return name;
}

std::filesystem::path PathNamedBy(const Section& section, std::string_view key,
                                  const std::filesystem::path& directory) {
  const auto name = section.String(key);
  return name ? directory / name->text : std::filesystem::path();
}

std::optional<SecretString> ReadSecretNamedBy(const Section& section, std::string_view key,
                                              const std::filesystem::path& directory) {
  const auto name = section.String(key);
  if (!name) {
    return std::nullopt;
  }
  auto content = ReadSecretFile(directory / name->text);
  if (!content) {
    section.Refuse(name->position, key, content.error().message, content.error().remedy);
    return std::nullopt;
  }
  return *std::move(content);
}

std::optional<Secret<kKeySize>> ReadKeyNamedBy(const Section& section, std::string_view key,
                                               const std::filesystem::path& directory) {
  const auto content = ReadSecretNamedBy(section, key, directory);
  if (!content) {
    return std::nullopt;
  }
  auto secret = ParseSecretKey(content->text());
  if (!secret || secret->is_zero()) {
    const auto name = section.String(key);
    section.Refuse(
        name->position, key,
        fmt::format("names {}, which holds no valid key", (directory / name->text).native()),
        "write one made by `floe key gen` or `floe key psk`: 44 characters of base64");
    return std::nullopt;
  }
  return secret;
}

std::optional<IpPrefix> ReadPrefix(const Section& section, std::string_view key, const Text& text,
                                   IpAddress* host) {
  const auto prefix = ParseIpPrefix(text.text, host);
  // A zone (fe80::1%eth0) names an interface, and a prefix is about no interface.
  if (!prefix || prefix->address.scope_id != 0) {
    section.Refuse(text.position, key,
                   fmt::format("holds \"{}\", which is no IP prefix", text.text),
                   "write it like \"10.71.0.2/32\" or \"fd71::2/128\"");
    return std::nullopt;
  }
  return prefix;
}

}  // namespace floe::config
