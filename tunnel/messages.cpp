#include "tunnel/messages.h"

#include <algorithm>

namespace floe::tunnel {
namespace {

constexpr std::size_t kTypeSize = 4;  // bytes: the type and three that are reserved

PublicKey LoadKey(Bytes bytes, std::size_t offset) {
  PublicKey key;
  std::ranges::copy(bytes.subspan(offset, kKeySize), key.bytes.begin());
  return key;
}

}  // namespace

std::optional<MessageType> ReadMessageType(Bytes datagram) {
  if (datagram.size() < kTypeSize) {
    return std::nullopt;
  }
  // The reserved bytes are zero, so the four together are the type as a number.
  const auto type = LoadLe<std::uint32_t>(datagram, 0);
  if (type < 1 || type > 4) {
    return std::nullopt;
  }
  return static_cast<MessageType>(type);
}

void WriteMessageType(MutableBytes message, MessageType type) {
  StoreLe<std::uint32_t>(message, 0, static_cast<std::uint8_t>(type));
}

std::optional<InitiationView> InitiationView::Parse(Bytes datagram) {
  if (datagram.size() != initiation::kSize ||
      ReadMessageType(datagram) != MessageType::kInitiation) {
    return std::nullopt;
  }
  return InitiationView(datagram);
}

std::uint32_t InitiationView::sender() const {
  return LoadLe<std::uint32_t>(bytes_, initiation::kSender);
}

PublicKey InitiationView::ephemeral() const {
  return LoadKey(bytes_, initiation::kEphemeral);
}

Bytes InitiationView::encrypted_static() const {
  return bytes_.subspan(initiation::kStatic, initiation::kTimestamp - initiation::kStatic);
}

Bytes InitiationView::encrypted_timestamp() const {
  return bytes_.subspan(initiation::kTimestamp, initiation::kMac1 - initiation::kTimestamp);
}

std::optional<ResponseView> ResponseView::Parse(Bytes datagram) {
  if (datagram.size() != response::kSize || ReadMessageType(datagram) != MessageType::kResponse) {
    return std::nullopt;
  }
  return ResponseView(datagram);
}

std::uint32_t ResponseView::sender() const {
  return LoadLe<std::uint32_t>(bytes_, response::kSender);
}

std::uint32_t ResponseView::receiver() const {
  return LoadLe<std::uint32_t>(bytes_, response::kReceiver);
}

PublicKey ResponseView::ephemeral() const {
  return LoadKey(bytes_, response::kEphemeral);
}

Bytes ResponseView::encrypted_empty() const {
  return bytes_.subspan(response::kEmpty, kTagSize);
}

std::optional<CookieReplyView> CookieReplyView::Parse(Bytes datagram) {
  if (datagram.size() != cookie_reply::kSize ||
      ReadMessageType(datagram) != MessageType::kCookieReply) {
    return std::nullopt;
  }
  return CookieReplyView(datagram);
}

std::uint32_t CookieReplyView::receiver() const {
  return LoadLe<std::uint32_t>(bytes_, cookie_reply::kReceiver);
}

Bytes CookieReplyView::nonce() const {
  return bytes_.subspan(cookie_reply::kNonce, cookie_reply::kCookie - cookie_reply::kNonce);
}

Bytes CookieReplyView::encrypted_cookie() const {
  return bytes_.subspan(cookie_reply::kCookie);
}

std::optional<TransportView> TransportView::Parse(Bytes datagram) {
  if (datagram.size() < transport::kMinSize ||
      ReadMessageType(datagram) != MessageType::kTransport) {
    return std::nullopt;
  }
  return TransportView(datagram);
}

std::uint32_t TransportView::receiver() const {
  return LoadLe<std::uint32_t>(bytes_, transport::kReceiver);
}

std::uint64_t TransportView::counter() const {
  return LoadLe<std::uint64_t>(bytes_, transport::kCounter);
}

Bytes TransportView::encrypted_packet() const {
  return bytes_.subspan(transport::kPacket);
}

}  // namespace floe::tunnel
