// Writes the secrets of handshakes to a file, for Wireshark to read a capture with.
//
// Source: Wireshark's manual, preference wg.keylog_file; its packet-wireguard.c.

#pragma once

#include <memory>
#include <string>

#include "app/config/secret_file.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "tunnel/key_log.h"

namespace floe::daemon {

class KeyLogFile final : public tunnel::KeyLog {
 public:
  /// Makes the file, or appends to it. Refuses one that is not ours, or that others may use.
  [[nodiscard]] static Result<std::unique_ptr<KeyLogFile>, config::FileProblem> Open(
      const std::string& path);

  KeyLogFile(std::string path, UniqueFd fd);

  /// Four lines. What cannot be written is lost, and said once.
  void NoteHandshake(const tunnel::LocalIdentity& local, const tunnel::RemoteIdentity& remote,
                     const PrivateKey& ephemeral) override;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd fd_;
  bool complained_ = false;
};

}  // namespace floe::daemon
