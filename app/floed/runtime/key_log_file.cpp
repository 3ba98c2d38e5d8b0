#include "app/floed/runtime/key_log_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/key.h"
#include "base/log.h"
#include "base/secret.h"

namespace floe::daemon {
namespace {

std::string Reason(int code) {
  return std::generic_category().message(code);
}

}  // namespace

Result<std::unique_ptr<KeyLogFile>, config::FileProblem> KeyLogFile::Open(const std::string& path) {
  using config::FileProblem;
  // Looks at the open file: its name could come to mean another one. A named pipe would make us
  // wait.
  UniqueFd fd(open(path.c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                   S_IRUSR | S_IWUSR));
  struct stat status{};
  if (!fd || fstat(fd.get(), &status) != 0) {
    return Fail(FileProblem{path + " cannot be written: " + Reason(errno),
                            "name a file in a directory of the user floed runs as"});
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(FileProblem{path + " is not a file", "name one"});
  }
  if (status.st_uid != geteuid()) {
    return Fail(FileProblem{path + " belongs to another user", "name another file"});
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Fail(FileProblem{path + " would hold keys, and others may use it", "chmod 600 " + path});
  }
  return std::make_unique<KeyLogFile>(path, std::move(fd));
}

KeyLogFile::KeyLogFile(std::string path, UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

// The preshared key belongs to the ephemeral key in front of it.
void KeyLogFile::NoteHandshake(const tunnel::LocalIdentity& local,
                               const tunnel::RemoteIdentity& remote, const PrivateKey& ephemeral) {
  WipedText text;
  const auto add = [&text](const char* name, const std::string& key) {
    text.append(name).append(" = ").append(key).append("\n");
  };
  text.reserve(512);
  add("LOCAL_STATIC_PRIVATE_KEY", RevealKey(local.private_key()).text());
  add("REMOTE_STATIC_PUBLIC_KEY", ToString(remote.public_key()));
  add("LOCAL_EPHEMERAL_PRIVATE_KEY", RevealKey(ephemeral).text());
  add("PRESHARED_KEY", RevealKey(remote.preshared_key()).text());
  const auto written = write(fd_.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()) && !std::exchange(complained_, true)) {
    log::Warn("{} cannot be written: {}", path_, Reason(errno));
  }
}

}  // namespace floe::daemon
