#include "tunnel/transport.h"

#include <algorithm>
#include <cstring>

namespace floe::tunnel {
namespace {

/// Room for `size` bytes, and around them what a cipher needs. Grows, and keeps what it has.
MutableBytes MakeRoom(std::vector<std::uint8_t>& buffer, std::size_t size) {
  const std::size_t wanted = kCipherHeadroom + size + kCipherSlack;
  if (buffer.size() < wanted) {
    buffer.resize(wanted);
  }
  return MutableBytes(buffer).subspan(kCipherHeadroom, size);
}

void Copy(Bytes from, MutableBytes to) {
  if (!from.empty()) {
    std::memcpy(to.data(), from.data(), from.size());  // Which std::copy is not, of spans.
  }
}

}  // namespace

std::vector<std::uint8_t> Sealer::Seal(const DerivedKey& key, std::uint32_t receiver,
                                       std::uint64_t counter, Bytes inner) {
  const MutableBytes padded = MakeRoom(in_, PaddedSize(inner.size()));
  Copy(inner, padded);
  std::ranges::fill(padded.subspan(inner.size()), std::uint8_t{0});
  const MutableBytes sealed = MakeRoom(out_, padded.size() + kTagSize);
  cipher_.Seal(key, counter, padded, sealed);

  std::vector<std::uint8_t> message(SealedSize(inner.size()));
  WriteMessageType(message, MessageType::kTransport);
  StoreLe<std::uint32_t>(message, transport::kReceiver, receiver);
  StoreLe<std::uint64_t>(message, transport::kCounter, counter);
  Copy(sealed, MutableBytes(message).subspan(transport::kPacket));
  return message;
}

std::optional<std::vector<std::uint8_t>> Sealer::Open(const DerivedKey& key, std::uint64_t counter,
                                                      Bytes sealed) {
  const MutableBytes in = MakeRoom(in_, sealed.size());
  Copy(sealed, in);
  const MutableBytes plain = MakeRoom(out_, sealed.size() - kTagSize);
  if (!cipher_.Open(key, counter, in, plain)) {
    return std::nullopt;
  }
  return std::vector<std::uint8_t>(plain.data(), plain.data() + plain.size());
}

}  // namespace floe::tunnel
