#include "app/config/config_error.h"

#include <utility>

namespace floe::config {

std::string ToString(const ConfigError& error) {
  std::string text = error.file;
  if (error.line != 0) {
    text += ':' + std::to_string(error.line) + ':' + std::to_string(error.column);
  }
  text += ": ";
  if (!error.key.empty()) {
    text += error.key + ": ";
  }
  text += error.message;
  if (!error.remedy.empty()) {
    text += "; " + error.remedy;
  }
  return text;
}

void ErrorLog::Add(Position position, std::string key, std::string message, std::string remedy) {
  if (!first_) {
    first_ = ConfigError{file_,          position.line,      position.column,
                         std::move(key), std::move(message), std::move(remedy)};
  }
}

}  // namespace floe::config
