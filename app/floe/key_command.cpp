// floe key: keys in WireGuard's text form, as `wg genkey`, `wg pubkey` and `wg genpsk` write them.

#include <array>
#include <istream>
#include <ostream>
#include <sodium.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "app/floe/commands.h"
#include "base/key.h"
#include "base/secret.h"
#include "base/system_random.h"

namespace floe::cli {
namespace {

using control::ExitCode;

constexpr std::size_t kLongestInput = 4096;  // bytes: a key and any white space behind it

/// Secrets go where nobody else can read them; floed refuses other files later.
void WarnIfOthersMayRead(std::ostream& err) {
  struct stat status{};
  if (fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
      (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    err << "floe: warning: others may read the file this key goes to; chmod 600 it, and use "
           "umask 077 next time\n";
  }
}

void PrintSecret(Streams streams, const Secret<kKeySize>& key) {
  WarnIfOthersMayRead(streams.err);
  streams.out << RevealKey(key).text() << '\n';
}

/// All of `in` without the white space at its end; nothing if it is longer than any key.
SecretString ReadInput(std::istream& in) {
  std::array<char, kLongestInput + 1> buffer{};
  in.read(buffer.data(), buffer.size());
  const auto size = static_cast<std::size_t>(in.gcount());
  const SecretString whole(std::string(buffer.data(), size <= kLongestInput ? size : 0));
  sodium_memzero(buffer.data(), buffer.size());
  return SecretString(whole.text().substr(0, whole.text().find_last_not_of(" \t\r\n") + 1));
}

}  // namespace

ExitCode RunKeyGen(Streams streams) {
  SystemRandom random;
  PrintSecret(streams, GeneratePrivateKey(random));
  return ExitCode::kDone;
}

ExitCode RunKeyPub(Streams streams) {
  const SecretString text = ReadInput(streams.in);
  const auto key = ParseSecretKey(text.text());
  if (!key) {
    streams.err << "floe: standard input holds no private key; give it what `floe key gen` "
                   "printed: 44 characters of base64\n";
    return ExitCode::kUsage;
  }
  streams.out << ToString(DerivePublicKey(*key)) << '\n';
  return ExitCode::kDone;
}

ExitCode RunKeyPsk(Streams streams) {
  SystemRandom random;
  PresharedKey key;
  random.Fill(key.mutable_bytes());
  PrintSecret(streams, key);
  return ExitCode::kDone;
}

}  // namespace floe::cli
