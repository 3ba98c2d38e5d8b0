// Feeds arbitrary text to PeerBox::Open, by itself and written over a part of a good box.
// Seeds: tests/fuzz/corpus/envelope/.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/key.h"
#include "signaling/envelope.h"
#include "tests/support/fake_random.h"

namespace {

using floe::signaling::Message;
using floe::signaling::MessageKind;
using floe::signaling::PeerBox;

/// Two nodes whose keys follow from a seed, and a box from the first to the second.
struct Fixture {
  floe::test::FakeRandom random;
  floe::PrivateKey key = floe::GeneratePrivateKey(random);
  floe::PrivateKey peer_key = floe::GeneratePrivateKey(random);
  floe::PublicKey self = floe::DerivePublicKey(key);
  floe::PublicKey peer = floe::DerivePublicKey(peer_key);
  PeerBox sender = PeerBox::Make(key, self, peer).value();
  PeerBox receiver = PeerBox::Make(peer_key, peer, self).value();
  Message message = {.kind = MessageKind::kEndOfCandidates, .session = 7, .seq = 1};
  std::string box = sender.Seal(message, random).value();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fixture fixture;

  const std::string_view text = floe::AsText({data, size});
  if (fixture.receiver.Open(text) && text != fixture.box) {
    std::abort();  // A forgery: nobody else has the key.
  }

  if (text.size() >= 2) {
    std::string changed = fixture.box;
    const std::size_t offset = data[0] % changed.size();
    changed.replace(offset, text.size() - 1, text.substr(1));
    const auto opened = fixture.receiver.Open(changed);
    if (opened.has_value() != (changed == fixture.box)) {
      std::abort();
    }
  }
  return 0;
}
