// From the TUN device to the network, past Tunnel: packets are cut, sealed, and laid end to end.
//
// Source: the WireGuard paper section 5.4.6; RFC 8656 section 12.4 (ChannelData).

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "tunnel/cipher.h"
#include "tunnel/forwarding.h"

namespace floe::tunnel {

/// Where Outbound puts what it has. What is handed over is borrowed until the call returns.
class OutboundSink {
 public:
  virtual ~OutboundSink() = default;

  /// Several datagrams of one way end to end, each of `size` bytes but the last, which may be
  /// smaller: at most Outbound::kMaxDatagrams, and Outbound::kMaxBytes.
  /// `tos` is for the outer header of each.
  virtual void Send(const UdpWay& way, std::uint8_t tos, Bytes datagrams, std::size_t size) = 0;

  /// An inner packet for Tunnel::HandlePacket.
  virtual void HandOver(Bytes packet) = 0;

  /// Tunnel::HandleActivity has something to do.
  virtual void NoteActivity() = 0;
};

/// For one thread.
class Outbound {
 public:
  static constexpr std::size_t kMaxDatagrams = 64;
  static constexpr std::size_t kMaxBytes = 65'000;

  /// All of them outlive it.
  Outbound(const Cipher& cipher, Forwarding& forwarding, OutboundSink& sink);

  /// An OffloadHeader and a packet, with the room around them that ciphers and padding need
  /// (ReadQueue has it). They are changed. Datagrams may wait for others of the same way.
  void HandleRead(TimePoint now, MutableBytes read);

  /// Sends what waits.
  void Flush();

  /// Packets from the kernel that contradicted themselves. For any thread.
  [[nodiscard]] std::uint64_t malformed() const {
    return malformed_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] Lane* FindLane(Bytes packet) const;
  /// Returns the size of the transport message.
  std::size_t Seal(Session& session, const UdpWay& way, MutableBytes packet);
  [[nodiscard]] MutableBytes Append(const UdpWay& way, std::uint8_t tos, std::size_t size);

  const Cipher& cipher_;
  Forwarding& forwarding_;
  OutboundSink& sink_;
  std::vector<std::uint8_t> out_;  // With what ciphers need around: datagrams end to end, alike ...
  std::size_t used_ = 0;           // bytes
  std::size_t size_ = 0;           // ... and of so many bytes, but for the last.
  std::size_t count_ = 0;
  UdpWay way_;
  std::uint8_t tos_ = 0;
  std::atomic<std::uint64_t> malformed_{0};
};

}  // namespace floe::tunnel
