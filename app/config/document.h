// A TOML file as a tree of plain values, each with its place in the file, so that what reads the
// configuration needs no TOML library.  Source: TOML 1.0.0.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_error.h"
#include "base/result.h"

namespace floe::config {

enum class ValueType : std::uint8_t { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };

/// With an article, for error messages: "a string".
[[nodiscard]] std::string_view ToString(ValueType type);

struct Entry;

/// One value. Only the member that `type` names means anything; dates and floats hold none.
struct Value {
  ValueType type = ValueType::kTable;
  Position position;
  std::string text;
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<Value> items;
  std::vector<Entry> entries;  // In the order of the file.
};

struct Entry {
  std::string key;
  Position position;  // Of the key.
  Value value;
};

/// The entry of `table` with this key, or null. Borrows `table`.
[[nodiscard]] const Entry* FindEntry(const Value& table, std::string_view key);

/// Parses `text`; `file` is only named in the error.
[[nodiscard]] Result<Value, ConfigError> ParseDocument(std::string_view text,
                                                       std::string_view file);

}  // namespace floe::config
