#include "app/control/json_fields.h"

#include <nlohmann/json.hpp>

namespace floe::control {

using nlohmann::json;

JsonFields::JsonFields(const json& object) : object_(object), good_(object.is_object()) {}

const json* JsonFields::Find(const char* key) const {
  if (!object_.is_object()) {
    return nullptr;
  }
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string JsonFields::String(const char* key) {
  auto text = MaybeString(key);
  good_ = good_ && text.has_value();
  return text ? *std::move(text) : "";
}

std::uint64_t JsonFields::Unsigned(const char* key, std::uint64_t largest) {
  const json* value = Find(key);
  if (value == nullptr || !value->is_number_unsigned() || value->get<std::uint64_t>() > largest) {
    good_ = false;
    return 0;
  }
  return value->get<std::uint64_t>();
}

double JsonFields::Number(const char* key) {
  const auto number = MaybeNumber(key);
  good_ = good_ && number.has_value();
  return number.value_or(0);
}

std::optional<std::string> JsonFields::MaybeString(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_string()) {
    good_ = false;
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::optional<double> JsonFields::MaybeNumber(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_number()) {
    good_ = false;
    return std::nullopt;
  }
  return value->get<double>();
}

std::optional<bool> JsonFields::MaybeBoolean(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_boolean()) {
    good_ = false;
    return std::nullopt;
  }
  return value->get<bool>();
}

const json* JsonFields::MaybeObject(const char* key) {
  const json* value = Find(key);
  if (value != nullptr && !value->is_object()) {
    good_ = false;
    return nullptr;
  }
  return value;
}

std::vector<std::string> JsonFields::MaybeStrings(const char* key) {
  const json* value = Find(key);
  std::vector<std::string> texts;
  if (value == nullptr) {
    return texts;
  }
  good_ = good_ && value->is_array();
  for (const json& item : *value) {
    if (!value->is_array() || !item.is_string()) {
      good_ = false;
      return {};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<const json*> JsonFields::MaybeObjects(const char* key) {
  const json* value = Find(key);
  std::vector<const json*> objects;
  if (value == nullptr) {
    return objects;
  }
  good_ = good_ && value->is_array();
  for (const json& item : *value) {
    if (!value->is_array() || !item.is_object()) {
      good_ = false;
      return {};
    }
    objects.push_back(&item);
  }
  return objects;
}

}  // namespace floe::control
