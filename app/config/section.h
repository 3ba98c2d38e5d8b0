// One table of the configuration, read key by key with its errors put into words.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_error.h"
#include "app/config/document.h"

namespace floe::config {

/// Where an accepted value stands, to be named by errors that are found later.
struct Text {
  std::string text;
  Position position;
};

struct Range {
  std::int64_t first;
  std::int64_t last;
};

/// Reads the keys of one table. Everything it refuses goes to the log; the caller gets nothing
/// then, as for a key that is absent. Borrows the table and the log, which must outlive it.
class Section {
 public:
  /// `name` is how errors call the table: "node". Keys not among `known` are refused here.
  Section(const Value& table, Position position, std::string name,
          std::initializer_list<std::string_view> known, ErrorLog& errors);

  [[nodiscard]] std::optional<Text> String(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> Integer(std::string_view key, Range range) const;
  [[nodiscard]] std::optional<bool> Boolean(std::string_view key) const;
  /// Empty where the key is absent.
  [[nodiscard]] std::vector<Text> Strings(std::string_view key) const;
  /// The value as it is, for keys that take more than one type.
  [[nodiscard]] const Value* Any(std::string_view key) const;

  /// Refuses the table because `key` is not in it.
  void Missing(std::string_view key, std::string remedy) const;
  void Refuse(Position position, std::string_view key, std::string message,
              std::string remedy) const;
  void RefuseType(const Value& value, std::string_view key, std::string_view wanted) const;

  /// Where the table begins.
  [[nodiscard]] Position position() const { return position_; }

 private:
  [[nodiscard]] std::string Name(std::string_view key) const;

  const Value& table_;
  Position position_;
  std::string name_;
  ErrorLog& errors_;
};

}  // namespace floe::config
