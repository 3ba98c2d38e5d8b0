// Reads the fields of a JSON object that somebody else wrote, without exceptions.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace floe::control {

/// Reads fields one by one and remembers whether all were as they should be. Borrows the object.
class JsonFields {
 public:
  /// `object` may be any value: of one that is no object every field is bad.
  explicit JsonFields(const nlohmann::json& object);

  // A field that is absent, null or of another type is bad; its value is empty then.
  [[nodiscard]] std::string String(const char* key);
  [[nodiscard]] std::uint64_t Unsigned(const char* key, std::uint64_t largest = UINT64_MAX);
  [[nodiscard]] double Number(const char* key);

  // These may be absent or null.
  [[nodiscard]] std::optional<std::string> MaybeString(const char* key);
  [[nodiscard]] std::optional<double> MaybeNumber(const char* key);
  [[nodiscard]] std::optional<bool> MaybeBoolean(const char* key);
  /// Null where there is none. Borrows the object.
  [[nodiscard]] const nlohmann::json* MaybeObject(const char* key);
  [[nodiscard]] std::vector<std::string> MaybeStrings(const char* key);
  /// Empty where there is none. Borrows the object.
  [[nodiscard]] std::vector<const nlohmann::json*> MaybeObjects(const char* key);

  [[nodiscard]] bool Has(const char* key) const { return Find(key) != nullptr; }

  /// For what the caller finds wrong with a value.
  void SetBad() { good_ = false; }

  [[nodiscard]] bool good() const { return good_; }

 private:
  [[nodiscard]] const nlohmann::json* Find(const char* key) const;

  const nlohmann::json& object_;
  bool good_;
};

}  // namespace floe::control
