// Why a configuration was refused: where, what is wrong, and what would be right.

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace floe::config {

/// A place in a file. Lines and columns count from 1; 0 is the file as a whole.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  auto operator<=>(const Position&) const = default;
};

struct ConfigError {
  std::string file;
  std::uint32_t line = 0;  // 0: the error is about the whole file.
  std::uint32_t column = 0;
  std::string key;      // "node.listen_port"; empty where no key is concerned.
  std::string message;  // What is wrong. Never holds a secret.
  std::string remedy;   // What would be right; may be empty.
};

/// "floe.toml:3:15: node.listen_port: is 70000; write an integer from 0 to 65535".
[[nodiscard]] std::string ToString(const ConfigError& error);

/// Collects errors while a file is read and keeps the first. Readers go on after an error with
/// defaults, so that none of them needs a way out in the middle.
class ErrorLog {
 public:
  explicit ErrorLog(std::string file) : file_(std::move(file)) {}

  void Add(Position position, std::string key, std::string message, std::string remedy);

  [[nodiscard]] const std::optional<ConfigError>& first() const { return first_; }

 private:
  std::string file_;
  std::optional<ConfigError> first_;
};

}  // namespace floe::config
