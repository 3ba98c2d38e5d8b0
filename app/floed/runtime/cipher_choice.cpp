#include "app/floed/runtime/cipher_choice.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "tunnel/messages.h"

namespace floe::daemon {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::size_t kPacket = 1420;  // bytes, as most packets of a transfer have
constexpr int kPackets = 64;
constexpr int kRounds = 8;

/// What it takes to seal and open packets. The best of several rounds is the one that nobody
/// interrupted.
nanoseconds TimeOf(const tunnel::Cipher& cipher) {
  constexpr std::size_t kRoom =
      tunnel::kCipherHeadroom + kPacket + tunnel::kTagSize + tunnel::kCipherSlack;
  const tunnel::DerivedKey key;
  std::vector<std::uint8_t> plain(kRoom);
  std::vector<std::uint8_t> sealed(kRoom);
  const MutableBytes in = MutableBytes(plain).subspan(tunnel::kCipherHeadroom, kPacket);
  const MutableBytes out =
      MutableBytes(sealed).subspan(tunnel::kCipherHeadroom, kPacket + tunnel::kTagSize);
  nanoseconds best = nanoseconds::max();
  for (int round = 0; round < kRounds; ++round) {
    const auto start = steady_clock::now();
    for (int i = 0; i < kPackets; ++i) {
      cipher.Seal(key, 0, in, out);
      static_cast<void>(cipher.Open(key, 0, out, in));
    }
    best = std::min<nanoseconds>(best, steady_clock::now() - start);
  }
  return best;
}

const tunnel::Cipher& Fastest() {
  const tunnel::Cipher* fastest = &tunnel::ReferenceCipher();
  nanoseconds best = TimeOf(*fastest);
  for (const tunnel::Cipher* cipher : tunnel::AllCiphers()) {
    if (cipher == &tunnel::ReferenceCipher() || !tunnel::AgreesWithReference(*cipher)) {
      continue;
    }
    if (const nanoseconds time = TimeOf(*cipher); time < best) {
      best = time;
      fastest = cipher;
    }
  }
  log::Info("cipher {}: {} ns to seal and open a packet", fastest->name(), best.count() / kPackets);
  return *fastest;
}

}  // namespace

const tunnel::Cipher& ChooseCipher(config::CipherChoice choice) {
  const tunnel::Cipher* wanted = &tunnel::ReferenceCipher();
  switch (choice) {
    case config::CipherChoice::kPadded:
      wanted = tunnel::AllCiphers()[0];
      break;
    case config::CipherChoice::kOpenSsl:
      wanted = tunnel::AllCiphers()[1];
      break;
    case config::CipherChoice::kReference:
      return *wanted;
    case config::CipherChoice::kFastest:
      return Fastest();
  }
  if (tunnel::AgreesWithReference(*wanted)) {
    return *wanted;
  }
  log::Warn("cipher {} gives wrong bytes on this machine; using {}", wanted->name(),
            tunnel::ReferenceCipher().name());
  return tunnel::ReferenceCipher();
}

}  // namespace floe::daemon
