#include "app/config/section.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace floe::config {
namespace {

constexpr std::size_t kMostEdits = 3;  // Beyond that a suggestion is a guess.

/// How many characters must be changed, added or removed to make one word the other (Levenshtein).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({diagonal + 1, row[j] + 1, substituted});
    }
  }
  return row.back();
}

std::string SuggestionFor(std::string_view key, std::initializer_list<std::string_view> known) {
  const auto distance = [key](std::string_view word) {
    // What only lacks its end is near, however long the end: private_key, private_key_file.
    const bool begun = key.size() >= kMostEdits && word.starts_with(key);
    return begun ? 1 : EditDistance(key, word);
  };
  const std::string_view nearest = *std::ranges::min_element(known, {}, distance);
  if (distance(nearest) <= std::min(kMostEdits, key.size() / 2)) {
    return fmt::format("did you mean {}?", nearest);
  }
  std::string all = "known here: ";
  for (const std::string_view word : known) {
    all += fmt::format("{}{}", word == *known.begin() ? "" : ", ", word);
  }
  return all;
}

}  // namespace

Section::Section(const Value& table, Position position, std::string name,
                 std::initializer_list<std::string_view> known, ErrorLog& errors)
    : table_(table), position_(position), name_(std::move(name)), errors_(errors) {
  for (const Entry& entry : table.entries) {
    if (std::ranges::find(known, entry.key) == known.end()) {
      Refuse(entry.position, entry.key, "unknown key", SuggestionFor(entry.key, known));
    }
  }
}

std::optional<Text> Section::String(std::string_view key) const {
  const Value* value = Any(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (value->type != ValueType::kString) {
    RefuseType(*value, key, "a string in quotes");
    return std::nullopt;
  }
  if (value->text.empty()) {
    Refuse(value->position, key, "is empty", "write a value, or leave the key out");
    return std::nullopt;
  }
  return Text{value->text, value->position};
}

std::optional<std::int64_t> Section::Integer(std::string_view key, Range range) const {
  const Value* value = Any(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const std::string wanted = fmt::format("an integer from {} to {}", range.first, range.last);
  if (value->type != ValueType::kInteger) {
    RefuseType(*value, key, wanted);
    return std::nullopt;
  }
  if (value->integer < range.first || value->integer > range.last) {
    Refuse(value->position, key, fmt::format("is {}", value->integer), "write " + wanted);
    return std::nullopt;
  }
  return value->integer;
}

std::optional<bool> Section::Boolean(std::string_view key) const {
  const Value* value = Any(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (value->type != ValueType::kBoolean) {
    RefuseType(*value, key, "true or false");
    return std::nullopt;
  }
  return value->boolean;
}

std::vector<Text> Section::Strings(std::string_view key) const {
  const Value* value = Any(key);
  if (value == nullptr) {
    return {};
  }
  if (value->type != ValueType::kArray) {
    RefuseType(*value, key, "an array of strings");
    return {};
  }
  std::vector<Text> texts;
  for (const Value& item : value->items) {
    if (item.type != ValueType::kString) {
      Refuse(item.position, key, fmt::format("holds {}", ToString(item.type)),
             "write an array of strings");
      return {};
    }
    texts.push_back({item.text, item.position});
  }
  return texts;
}

const Value* Section::Any(std::string_view key) const {
  const Entry* entry = FindEntry(table_, key);
  return entry == nullptr ? nullptr : &entry->value;
}

void Section::Missing(std::string_view key, std::string remedy) const {
  Refuse(position_, key, "is missing", std::move(remedy));
}

void Section::Refuse(Position position, std::string_view key, std::string message,
                     std::string remedy) const {
  errors_.Add(position, Name(key), std::move(message), std::move(remedy));
}

void Section::RefuseType(const Value& value, std::string_view key, std::string_view wanted) const {
  Refuse(value.position, key, fmt::format("is {}", ToString(value.type)),
         fmt::format("write {}", wanted));
}

std::string Section::Name(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

}  // namespace floe::config
