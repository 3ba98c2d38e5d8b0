// What becomes of the secrets of handshakes where somebody debugs a capture: told to whoever asked.
//
// Nobody asks unless floed is started with --wg-keylog.

#pragma once

#include "base/key.h"
#include "tunnel/identity.h"

namespace floe::tunnel {

class KeyLog {
 public:
  virtual ~KeyLog() = default;

  KeyLog(const KeyLog&) = delete;
  KeyLog& operator=(const KeyLog&) = delete;

  /// An initiation or response of ours, made with this ephemeral key, goes to this peer. All is
  /// borrowed.
  virtual void NoteHandshake(const LocalIdentity& local, const RemoteIdentity& remote,
                             const PrivateKey& ephemeral) = 0;

 protected:
  KeyLog() = default;
};

}  // namespace floe::tunnel
