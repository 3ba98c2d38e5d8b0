#include "app/config/secret_file.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "base/unique_fd.h"

namespace floe::config {
namespace {

constexpr std::size_t kLargest = 4096;         // bytes
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;  // What group and others may do.
constexpr mode_t kPermissions = 07777;

std::string Reason(int code) {
  return std::generic_category().message(code);
}

FileProblem CannotRead(const std::string& name, int code) {
  if (code == ENOENT || code == ENOTDIR) {
    return {fmt::format("names {}, which does not exist", name), "create it, or correct the path"};
  }
  return {fmt::format("names {}, which cannot be read: {}", name, Reason(code)),
          "make it readable for the user floe runs as"};
}

/// Looks at the open file, not at its name, which could come to mean another file in between.
Result<void, FileProblem> CheckFile(int fd, const std::string& name) {
  struct stat status{};
  if (fstat(fd, &status) != 0) {
    return Fail(CannotRead(name, errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(FileProblem{fmt::format("names {}, which is not a file", name),
                            "name the file that holds the secret"});
  }
  if ((status.st_mode & kOthers) != 0) {
    return Fail(FileProblem{fmt::format("names {}, which others may use (mode {:04o})", name,
                                        status.st_mode & kPermissions),
                            "chmod 600 " + name});
  }
  return {};
}

/// Up to one byte more than may be, to tell a file that is too large.
Result<SecretString, FileProblem> ReadAll(int fd, const std::string& name) {
  std::string content(kLargest + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = read(fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Fail(CannotRead(name, errno));
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return SecretString(std::move(content));
}

}  // namespace

Result<SecretString, FileProblem> ReadSecretFile(const std::filesystem::path& path) {
  const std::string& name = path.native();
  // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
  const UniqueFd fd(open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) {
    return Fail(CannotRead(name, errno));
  }
  if (auto checked = CheckFile(fd.get(), name); !checked) {
    return Fail(std::move(checked).error());
  }
  auto content = ReadAll(fd.get(), name);
  if (!content) {
    return content;
  }
  if (content->text().size() > kLargest) {
    return Fail(FileProblem{fmt::format("names {}, which is too large to be a secret", name),
                            "name the file that holds the secret"});
  }
  const std::size_t last = content->text().find_last_not_of(" \t\r\n");
  if (last == std::string::npos) {
    return Fail(
        FileProblem{fmt::format("names {}, which is empty", name), "write the secret to it"});
  }
  return SecretString(content->text().substr(0, last + 1));
}

}  // namespace floe::config
