// Which make of the cipher packets are sealed with on this machine.

#pragma once

#include "app/config/config.h"
#include "tunnel/cipher.h"

namespace floe::daemon {

/// The one that is wanted, once it has been seen to give the right bytes here; else the reference,
/// and the log says so. To find the fastest takes some ten milliseconds.
[[nodiscard]] const tunnel::Cipher& ChooseCipher(config::CipherChoice choice);

}  // namespace floe::daemon
