// Reads the files that hold a key or a password, and insists that nobody else can.

#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace floe::config {

/// Why a file was not accepted. Never holds any of its content.
struct FileProblem {
  std::string message;  // What is wrong: "names a.key, which others may read (mode 0644)".
  std::string remedy;   // What would be right: "chmod 600 a.key".
};

/// The content of `path` without the white space at its end. Refuses what is missing, unreadable,
/// empty, larger than 4096 bytes, no regular file, or accessible to group or others.
[[nodiscard]] Result<SecretString, FileProblem> ReadSecretFile(const std::filesystem::path& path);

}  // namespace floe::config
