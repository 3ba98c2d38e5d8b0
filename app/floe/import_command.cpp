// floe import wg: turns a file for wg-quick(8) into floe.toml and the key files that it names.

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "app/config/wg_quick.h"
#include "app/floe/commands.h"
#include "base/key.h"
#include "base/secret.h"
#include "base/unique_fd.h"

namespace floe::cli {
namespace {

namespace fs = std::filesystem;
using config::ConfigError;
using control::ExitCode;

constexpr std::size_t kLargestFile = 4 << 20;  // bytes

struct File {
  std::string name;
  mode_t mode = 0600;
  SecretString content;
};

std::string Reason(int code) {
  return std::generic_category().message(code);
}

Result<SecretString, ConfigError> ReadFile(const std::string& name) {
  errno = 0;
  std::ifstream file(name, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  if (file) {
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
  }
  if (!file.eof() || file.gcount() == 0) {
    const std::string reason = errno != 0 ? ": " + Reason(errno) : "";
    return Fail(ConfigError{name, 0, 0, "", "cannot be read, or is empty or too large" + reason,
                            "name a file for wg-quick(8)"});
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return SecretString(std::move(text));
}

/// All of it is written to a directory that nobody else can look into, and taken from there when it
/// has proven good.
class Workshop {
 public:
  explicit Workshop(const fs::path& beside) : path_((beside / ".floe-import-XXXXXX").native()) {
    good_ = mkdtemp(path_.data()) != nullptr;
  }

  ~Workshop() {
    std::error_code ignored;
    if (good_) {
      fs::remove_all(path_, ignored);
    }
  }

  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  [[nodiscard]] bool good() const { return good_; }

  [[nodiscard]] fs::path path() const { return path_; }

  [[nodiscard]] bool Write(const File& file) const {
    const UniqueFd fd(
        open((path() / file.name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.mode));
    const std::string& text = file.content.text();
    std::size_t written = 0;
    while (fd && written < text.size()) {
      const ssize_t count = write(fd.get(), text.data() + written, text.size() - written);
      if (count < 0) {
        return false;
      }
      written += static_cast<std::size_t>(count);
    }
    return static_cast<bool>(fd);
  }

 private:
  std::string path_;
  bool good_ = false;
};

std::vector<File> MakeFiles(const config::WgQuick& wg, const std::string& source,
                            const fs::path& output) {
  const auto key_text = [](const Secret<kKeySize>& key) {
    return SecretString(RevealKey(key).text() + '\n');
  };
  std::vector<File> files;
  const std::string key_file = output.stem().native() + ".key";
  files.push_back({.name = key_file, .content = key_text(wg.private_key)});
  for (const config::PeerConfig& peer : wg.peers) {
    if (peer.preshared_key) {
      files.push_back(
          {.name = config::PresharedKeyFile(peer), .content = key_text(*peer.preshared_key)});
    }
  }
  // Last: when it is there, what it names is too.
  files.push_back({.name = output.filename().native(),
                   .mode = 0644,
                   .content = SecretString(config::ToToml(wg, source, key_file))});
  return files;
}

/// Writes all of them, or changes nothing. Says in words what went wrong.
Result<void, std::string> WriteFiles(const std::vector<File>& files, const std::string& source,
                                     const fs::path& directory) {
  const Workshop workshop(directory);
  if (!workshop.good()) {
    return Fail("floe: cannot write to " + directory.native() + ": " + Reason(errno));
  }
  for (const File& file : files) {
    if (!workshop.Write(file)) {
      return Fail("floe: cannot write " + file.name + ": " + Reason(errno));
    }
  }
  auto checked = config::LoadConfig(workshop.path() / files.back().name);
  if (!checked) {
    ConfigError error = std::move(checked.error());
    error.file = source;
    error.line = 0;
    return Fail(ToString(error));
  }
  for (const File& file : files) {
    std::error_code code;
    fs::rename(workshop.path() / file.name, directory / file.name, code);
    if (code) {
      return Fail("floe: cannot write " + (directory / file.name).native() + ": " + code.message());
    }
  }
  return {};
}

void WarnIfOthersMayRead(const std::string& name, std::ostream& err) {
  struct stat status{};
  if (stat(name.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    err << name << ": others may read it, and the keys in it; chmod 600 it\n";
  }
}

}  // namespace

ExitCode RunImportWg(const CommandLine& line, Streams streams) {
  const auto text = ReadFile(line.file);
  if (!text) {
    streams.err << ToString(text.error()) << '\n';
    return ExitCode::kUsage;
  }
  const auto wg = config::ParseWgQuick(text->text(), line.file);
  if (!wg) {
    streams.err << ToString(wg.error()) << '\n';
    return ExitCode::kUsage;
  }
  const fs::path output(line.output_file);
  const fs::path directory = output.has_parent_path() ? output.parent_path() : fs::path(".");
  const std::vector<File> files = MakeFiles(*wg, line.file, output);
  for (const File& file : files) {
    std::error_code ignored;
    if (!line.force && fs::exists(fs::symlink_status(directory / file.name, ignored))) {
      streams.err << "floe: " << (directory / file.name).native()
                  << " is there already; --force overwrites it, and nothing was written\n";
      return ExitCode::kNo;
    }
  }
  if (const auto written = WriteFiles(files, line.file, directory); !written) {
    streams.err << written.error() << "; nothing was written\n";
    return ExitCode::kUsage;
  }
  WarnIfOthersMayRead(line.file, streams.err);
  for (const config::WgRemark& remark : wg->remarks) {
    streams.err << line.file << ':';
    if (remark.line != 0) {
      streams.err << remark.line << ':';
    }
    streams.err << ' ' << remark.text << '\n';
  }
  const std::size_t peers = wg->peers.size();
  streams.out << line.output_file << ": " << peers << (peers == 1 ? " peer" : " peers") << '\n';
  return ExitCode::kDone;
}

}  // namespace floe::cli
