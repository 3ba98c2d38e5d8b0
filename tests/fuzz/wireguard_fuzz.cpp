// Feeds a tunnel arbitrary datagrams, damaged messages of a real peer, and arbitrary inner packets.
// Seeds: tests/fuzz/corpus/wireguard/.
//
// The input is a row of steps: one byte that says what to do, one byte of length, that many bytes.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/support/fake_random.h"
#include "tunnel/identity.h"
#include "tunnel/noise.h"
#include "tunnel/tunnel.h"

namespace {

using floe::Bytes;
using floe::IpAddress;
using floe::IpPrefix;
using floe::PrivateKey;
using floe::TimePoint;
using floe::tunnel::Tunnel;

constexpr floe::tunnel::PeerId kPeer = 1;
constexpr int kMaxSteps = 32;  // A step may cost three key agreements.

class Scenario {
 public:
  Scenario()
      : key_(floe::GeneratePrivateKey(random_)),
        other_key_(floe::GeneratePrivateKey(random_)),
        identity_(key_.Clone()),
        tunnel_(now_, key_.Clone(), std::chrono::seconds(1), random_,
                floe::tunnel::ReferenceCipher(), kLimits),
        other_(now_, other_key_.Clone(), std::chrono::seconds(1), random_) {
    const IpPrefix everything{IpAddress::V4(0, 0, 0, 0), 0};
    FLOE_CHECK(tunnel_.AddPeer(now_, kPeer,
                               {.public_key = other_.public_key(), .allowed_ips = {everything}}));
    FLOE_CHECK(other_.AddPeer(now_, kPeer,
                              {.public_key = tunnel_.public_key(), .allowed_ips = {everything}}));
  }

  void Step(std::uint8_t what, Bytes argument) {
    switch (what % 8) {
      case 0:
        Receive({argument.begin(), argument.end()});
        return;
      case 1:
        ReceiveWithMac({argument.begin(), argument.end()});
        return;
      case 2:
        tunnel_.HandlePacket(now_, argument);
        return;
      case 3:
        other_.HandlePacket(now_, argument);
        return;
      case 4:
        tunnel_.StartHandshake(now_, kPeer);
        return;
      case 5:
        other_.StartHandshake(now_, kPeer);
        return;
      case 6:
        now_ += std::chrono::milliseconds(argument.empty() ? 20 : argument[0] * 1000);
        tunnel_.HandleTimeout(now_);
        other_.HandleTimeout(now_);
        return;
      default:
        Exchange(argument);
        return;
    }
  }

 private:
  void Receive(std::vector<std::uint8_t> datagram) {
    const auto accepted = tunnel_.HandleDatagram(now_, way_, datagram);
    while (const auto reply = tunnel_.PollReply()) {
      FLOE_CHECK(reply->bytes.size() < datagram.size());
      static_cast<void>(other_.HandleDatagram(now_, way_, reply->bytes));
    }
    FLOE_CHECK(!accepted || accepted->peer == kPeer);
  }

  /// Past the first gate, which anybody can pass who knows the public key.
  void ReceiveWithMac(std::vector<std::uint8_t> datagram) {
    if (datagram.size() >= 32) {
      floe::tunnel::WriteMacs(identity_.mac1_key(), datagram);
    }
    Receive(std::move(datagram));
  }

  /// One message each way; the one to the tunnel is damaged where `damage` says.
  void Exchange(Bytes damage) {
    if (auto datagram = other_.PollDatagram()) {
      for (std::size_t i = 0; i + 1 < damage.size(); i += 2) {
        datagram->bytes[damage[i] % datagram->bytes.size()] ^= damage[i + 1];
      }
      if (damage.size() % 2 == 1) {
        ReceiveWithMac(std::move(datagram->bytes));
      } else {
        Receive(std::move(datagram->bytes));
      }
    }
    if (const auto datagram = tunnel_.PollDatagram()) {
      static_cast<void>(other_.HandleDatagram(now_, way_, datagram->bytes));
    }
    while (tunnel_.PollPacket() || other_.PollPacket()) {
    }
  }

  // A second message within 10 ms needs a cookie.
  static constexpr floe::tunnel::HandshakeLimits kLimits{.unproven = {100, 1}};

  TimePoint now_{std::chrono::hours(1)};
  floe::tunnel::Way way_{{IpAddress::V4(192, 0, 2, 1), 1}, {IpAddress::V4(192, 0, 2, 2), 2}};
  floe::test::FakeRandom random_;
  PrivateKey key_;
  PrivateKey other_key_;
  floe::tunnel::LocalIdentity identity_;
  Tunnel tunnel_;
  Tunnel other_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Scenario scenario;
  Bytes rest(data, size);
  for (int step = 0; step < kMaxSteps && rest.size() >= 2; ++step) {
    const std::uint8_t what = rest[0];
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    scenario.Step(what, rest.subspan(2, length));
    rest = rest.subspan(2 + length);
  }
  return 0;
}
