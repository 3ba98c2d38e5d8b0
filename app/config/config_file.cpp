#include "app/config/config_file.h"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace floe::config {
namespace {

constexpr std::streamsize kLargestFile = 4 << 20;  // bytes

ConfigError CannotRead(const std::filesystem::path& path, const std::string& reason) {
  return {path.native(), 0, 0, "", "cannot be read: " + reason, "name a readable file"};
}

}  // namespace

Result<std::string, ConfigError> ReadConfigFile(const std::filesystem::path& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    return Fail(CannotRead(path, std::generic_category().message(EISDIR)));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(CannotRead(path, std::generic_category().message(errno)));
  }
  std::string text(static_cast<std::size_t>(kLargestFile) + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {
    return Fail(CannotRead(path, std::generic_category().message(EIO)));
  }
  if (file.gcount() > kLargestFile) {
    return Fail(CannotRead(path, std::generic_category().message(EFBIG)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace floe::config
