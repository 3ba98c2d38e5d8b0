#include "app/config/document.h"

#include <algorithm>

// The library is used as headers alone and told not to throw; errors come back as values.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace floe::config {
namespace {

Position PositionOf(const toml::source_region& source) {
  return {source.begin.line, source.begin.column};
}

ValueType TypeOf(toml::node_type type) {
  switch (type) {
    case toml::node_type::none:
    case toml::node_type::table:
      return ValueType::kTable;
    case toml::node_type::array:
      return ValueType::kArray;
    case toml::node_type::string:
      return ValueType::kString;
    case toml::node_type::integer:
      return ValueType::kInteger;
    case toml::node_type::floating_point:
      return ValueType::kFloat;
    case toml::node_type::boolean:
      return ValueType::kBoolean;
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return ValueType::kDate;
  }
  return ValueType::kTable;
}

Value Convert(const toml::node& node);

std::vector<Entry> ConvertTable(const toml::table& table) {
  std::vector<Entry> entries;
  entries.reserve(table.size());
  for (const auto& [key, node] : table) {
    entries.push_back({std::string(key.str()), PositionOf(key.source()), Convert(node)});
  }
  std::ranges::sort(entries, {}, &Entry::position);
  return entries;
}

// The library refuses deep nesting, so the recursion is bounded.
Value Convert(const toml::node& node) {
  Value value;
  value.type = TypeOf(node.type());
  value.position = PositionOf(node.source());
  if (const toml::table* table = node.as_table()) {
    value.entries = ConvertTable(*table);
  } else if (const toml::array* array = node.as_array()) {
    for (const toml::node& item : *array) {
      value.items.push_back(Convert(item));
    }
  } else if (const auto* text = node.as_string()) {
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.boolean = boolean->get();
  }
  return value;
}

}  // namespace

std::string_view ToString(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "a string";
    case ValueType::kInteger:
      return "an integer";
    case ValueType::kFloat:
      return "a number with a fraction";
    case ValueType::kBoolean:
      return "true or false";
    case ValueType::kDate:
      return "a date or time";
    case ValueType::kArray:
      return "an array";
    case ValueType::kTable:
      return "a table";
  }
  return "unknown";
}

const Entry* FindEntry(const Value& table, std::string_view key) {
  const auto found = std::ranges::find(table.entries, key, &Entry::key);
  return found == table.entries.end() ? nullptr : &*found;
}

Result<Value, ConfigError> ParseDocument(std::string_view text, std::string_view file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const Position position = PositionOf(parsed.error().source());
    return Fail(ConfigError{std::string(file), position.line, position.column, "",
                            "is not TOML: " + std::string(parsed.error().description()), ""});
  }
  return Convert(parsed.table());
}

}  // namespace floe::config
