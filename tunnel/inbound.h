// From the network to the TUN device, past Tunnel: messages are told apart, opened, and joined.
//
// Source: the WireGuard paper section 5.4.6; RFC 8656 section 12.4 (ChannelData).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "tunnel/cipher.h"
#include "tunnel/forwarding.h"
#include "tunnel/messages.h"
#include "tunnel/packet/coalescer.h"
#include "tunnel/packet/ecn.h"

namespace floe::tunnel {

/// Where Inbound puts what it has. What is handed over is borrowed until the call returns.
class InboundSink {
 public:
  virtual ~InboundSink() = default;

  /// A packet for the device. Returns what may be joined from here on.
  virtual Joinable Write(const Coalescer::Group& group) = 0;

  /// Anything else that has come, for whoever tells datagrams apart.
  virtual void HandOver(const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
                        std::uint8_t tos) = 0;

  /// An inner packet of a peer that may be an answer to us.
  virtual void HandOverPacket(PeerId peer, Bytes packet) = 0;

  /// Tunnel::HandleActivity has something to do.
  virtual void NoteActivity() = 0;
};

/// For one thread.
class Inbound {
 public:
  /// All of them outlive it.
  Inbound(const Cipher& cipher, Forwarding& forwarding, Joinable joinable, InboundSink& sink);

  /// Datagrams that came together, each of `size` bytes but the last, which may be smaller, and the
  /// octet of their outer headers. There are kCipherHeadroom and kCipherSlack bytes of memory
  /// around them. Packets may wait for others.
  void HandleDatagrams(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                       Bytes datagrams, std::size_t size, std::uint8_t tos);

  /// Writes what waits.
  void Flush();

 private:
  struct Run;  // Messages of one session that follow each other.

  /// The message of a session that came by its way, or nothing.
  [[nodiscard]] std::optional<TransportView> ForUs(Run& run, Bytes datagram);
  void Open(Run& run, const TransportView& message);
  void Deliver(const Lane& lane, MutableBytes plain, Ecn mark);
  [[nodiscard]] MutableBytes MakeRoom(std::size_t size);

  const Cipher& cipher_;
  Forwarding& forwarding_;
  InboundSink& sink_;
  Coalescer coalescer_;
  std::vector<std::uint8_t> plain_;  // Packets that the coalescer borrows, and room for ciphers.
  std::size_t used_ = 0;             // bytes
};

}  // namespace floe::tunnel
