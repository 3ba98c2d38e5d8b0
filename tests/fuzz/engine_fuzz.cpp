// Feeds a whole engine with a link under way: datagrams, streams, sealed messages and packets that
// are arbitrary, damaged, repeated, or forged with the keys of those it trusts, while time passes.
// Seeds: tests/fuzz/corpus/engine/.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "ice/candidate.h"
#include "ice/stun/builder.h"
#include "ice/stun/message.h"
#include "signaling/message.h"
#include "signaling/protocol.h"
#include "signaling/websocket.h"
#include "tests/fuzz/steps.h"
#include "tests/fuzz/stun_forge.h"
#include "tests/support/engine_world.h"

namespace {

using floe::Bytes;
using floe::IpAddress;
using floe::SocketAddress;
using floe::fuzz::TakeByte;
using floe::test::EngineWorld;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace stun = floe::ice::stun;
namespace signaling = floe::signaling;
using Datagram = std::vector<std::uint8_t>;

constexpr int kMaxSteps = 60;
constexpr floe::engine::PeerId kPeer = 0;
constexpr floe::engine::PeerId kDevicePeer = 1;
constexpr std::uint64_t kStart = 1'800'000'000'000;  // When the world begins, ms since 1970.

/// Where a datagram may come from.
const std::array kSources = {
    floe::test::kAddressB,
    floe::test::kRelay,
    floe::test::kDevice,
    SocketAddress{IpAddress::V4(203, 0, 113, 99), 9},
    SocketAddress{IpAddress::V4(203, 0, 113, 1), 41820},  // a itself
    SocketAddress{IpAddress::V4(127, 0, 0, 1), 9},
    SocketAddress{*floe::ParseIpAddress("2001:db8::2"), 9},
    SocketAddress{IpAddress::V4(0, 0, 0, 0), 0},
};

const SocketAddress& SourceAt(std::size_t place) {
  return kSources.at(place % kSources.size());
}

class Scenario {
 public:
  explicit Scenario(std::uint8_t start)
      : world_((start & 1U) != 0 ? floe::test::Direct::kBlocked : floe::test::Direct::kOpen) {
    constexpr std::array kHeadStarts = {
        milliseconds(0),    milliseconds(1),    milliseconds(20),    milliseconds(100),
        milliseconds(1000), milliseconds(5000), milliseconds(30000), milliseconds(130000)};
    const milliseconds head_start = kHeadStarts.at((start >> 1U) & 7U);
    if (head_start.count() == 1) {
      world_.Deliver(2);
    } else if (head_start.count() > 1) {
      world_.Run(head_start);
    }
    FLOE_CHECK(head_start < seconds(1) || Engine().IsUp(kPeer));  // Else this tests little.
  }

  void Step(std::uint8_t what, Bytes argument) {
    switch (what & 15U) {
      case 0:
        DamageNext(argument);
        break;
      case 1:
        world_.Deliver(1 + TakeByte(argument) % 8);
        break;
      case 2:
        world_.Run(milliseconds(20) * TakeByte(argument));
        break;
      case 3:
        world_.Jump(seconds(1) * TakeByte(argument));
        break;
      case 4:
        Lose(argument);
        break;
      case 5:
        Repeat(argument);
        break;
      case 6:
        Receive(SourceAt(TakeByte(argument)), {argument.begin(), argument.end()});
        break;
      case 7:
        ForgeRequest(argument);
        break;
      case 8:
        ForgeResponse(argument);
        break;
      case 9:
        ForgeFromRelay(argument);
        break;
      case 10:
        SendMessage(argument);
        break;
      case 11:
        SendFrame(argument);
        break;
      case 12:
        if (world_.a().stream) {
          Engine().HandleStreamBytes(world_.now(), 0, argument);
        }
        break;
      case 13:
        SendPacket(argument);
        break;
      default:
        Change(TakeByte(argument), argument);
        break;
    }
    world_.Drain();
    CheckInvariants();
  }

 private:
  floe::engine::Engine& Engine() { return *world_.a().engine; }

  void Receive(const SocketAddress& from, Datagram bytes) {
    world_.Receive({.from = from, .to = floe::test::kAddressA, .bytes = std::move(bytes)});
  }

  /// The packet at this place among those under way.
  EngineWorld::Packet* PacketAt(std::size_t place) {
    auto& packets = world_.packets();
    return packets.empty() ? nullptr : &packets[place % packets.size()];
  }

  void DamageNext(Bytes argument) {
    if (EngineWorld::Packet* packet = PacketAt(TakeByte(argument))) {
      floe::fuzz::Spoil(packet->bytes, argument);
    }
  }

  void Lose(Bytes argument) {
    auto& packets = world_.packets();
    if (argument.empty()) {
      packets.clear();
    } else if (!packets.empty()) {
      packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(argument[0] % packets.size()));
    }
  }

  /// A copy arrives at a ahead of the original, perhaps from elsewhere, perhaps damaged.
  void Repeat(Bytes argument) {
    const std::uint8_t which = TakeByte(argument);
    const std::uint8_t source = TakeByte(argument);
    if (const EngineWorld::Packet* packet = PacketAt(which)) {
      Datagram copy = packet->bytes;
      floe::fuzz::Spoil(copy, argument);
      Receive((source & 0x80U) != 0 ? SourceAt(source) : packet->from, std::move(copy));
    }
  }

  void ForgeRequest(Bytes argument) {
    const std::uint8_t source = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    const floe::ice::Agent* agent = Engine().link(kPeer).agent();
    if (agent == nullptr) {
      return;
    }
    stun::TransactionId id{};
    world_.random().Fill(id);
    stun::Builder builder((kind & 1U) != 0 ? stun::Class::kIndication : stun::Class::kRequest,
                          stun::Method::kBinding, id);
    builder.AddText(stun::AttributeType::kUsername, agent->local_credentials().ufrag + ":b");
    if ((kind & 2U) == 0) {
      const bool controlling =
          (agent->role() == floe::ice::Role::kControlled) != ((kind & 4U) != 0);
      builder.AddU32(stun::AttributeType::kPriority, 0x6E00'00FFU)
          .AddU64(controlling ? stun::AttributeType::kIceControlling
                              : stun::AttributeType::kIceControlled,
                  kind);
    }
    floe::fuzz::AddForged(builder, argument, kSources);
    if ((kind & 8U) == 0) {
      builder.AddIntegrity(floe::AsBytes(agent->local_credentials().password)).AddFingerprint();
    }
    Receive(SourceAt(source), builder.Take());
  }

  /// To a request of a that is still under way.
  void ForgeResponse(Bytes argument) {
    const std::uint8_t which = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    const EngineWorld::Packet* asked = PacketAt(which);
    const floe::ice::Agent* peer = world_.b().engine->link(kPeer).agent();
    if (asked == nullptr || asked->from != floe::test::kAddressA || peer == nullptr) {
      return;
    }
    const auto request = stun::MessageView::Parse(asked->bytes);
    if (!request) {
      return;
    }
    stun::Builder builder((kind & 1U) != 0 ? stun::Class::kError : stun::Class::kSuccess,
                          request->method(), request->transaction_id());
    if ((kind & 2U) != 0) {
      builder.AddErrorCode(stun::ErrorCode::kRoleConflict);
    }
    floe::fuzz::AddForged(builder, argument, kSources);
    if ((kind & 4U) == 0) {
      builder.AddIntegrity(floe::AsBytes(peer->local_credentials().password)).AddFingerprint();
    }
    Receive((kind & 8U) != 0 ? SourceAt(kind >> 4U) : asked->to, builder.Take());
  }

  /// Something a peer is said to have sent: a packet under way, or the argument.
  void ForgeFromRelay(Bytes argument) {
    const std::uint8_t kind = TakeByte(argument);
    Datagram payload(argument.begin(), argument.end());
    if (const EngineWorld::Packet* packet = PacketAt(kind >> 2U); packet && (kind & 1U) != 0) {
      payload = packet->bytes;
      floe::fuzz::Spoil(payload, argument);
    }
    if ((kind & 2U) != 0) {
      Datagram data(4);
      floe::StoreBe(floe::MutableBytes(data), 0,
                    static_cast<std::uint16_t>(0x4000U + (kind >> 6U)));
      floe::StoreBe(floe::MutableBytes(data), 2, static_cast<std::uint16_t>(payload.size()));
      data.insert(data.end(), payload.begin(), payload.end());
      Receive(floe::test::kRelay, std::move(data));
      return;
    }
    stun::TransactionId id{};
    world_.random().Fill(id);
    stun::Builder builder(stun::Class::kIndication, stun::Method::kData, id, payload.size() + 64);
    builder.AddAddress(stun::AttributeType::kXorPeerAddress, SourceAt(kind >> 5U))
        .Add(stun::AttributeType::kData, payload);
    Receive(floe::test::kRelay, builder.Take());
  }

  /// From b, through the rendezvous. What the message says, the argument says.
  void SendMessage(Bytes argument) {
    signaling::Message message;
    const std::uint8_t kind = TakeByte(argument);
    message.kind = static_cast<signaling::MessageKind>((kind & 7U) % 5);
    const auto elapsed = std::chrono::duration_cast<milliseconds>(world_.now().time_since_epoch() -
                                                                  std::chrono::hours(1));
    const std::uint64_t passed = (kind & 8U) != 0 ? static_cast<std::uint64_t>(elapsed.count()) : 0;
    message.session = (kind & 0x30U) == 0x30U ? signaling::kMaxSession - TakeByte(argument)
                                              : kStart + passed + TakeByte(argument) - 8;
    message.generation = TakeByte(argument) & 3U;
    message.seq = TakeByte(argument);
    const floe::ice::Agent* peer = world_.b().engine->link(kPeer).agent();
    const bool genuine = peer != nullptr && (kind & 0x40U) == 0;
    message.ufrag = genuine ? peer->local_credentials().ufrag : "evil";
    message.password = genuine ? peer->local_credentials().password : "0123456789abcdefghijkl";
    message.options = {"trickle"};
    if ((kind & 0x80U) == 0) {
      message.options.emplace_back("renomination");
    }
    AddCandidates(message, argument);
    if (const auto box = world_.box().Seal(message, world_.random())) {
      WriteToA(Serialize(signaling::ReceivedBox{.from = world_.b().key, .box = *box}));
    }
  }

  /// Lines of text, and the addresses of kSources for bytes that are no text.
  static void AddCandidates(signaling::Message& message, Bytes argument) {
    std::string line;
    const auto finish = [&] {
      if (!line.empty() && message.candidates.size() < signaling::kMaxCandidates) {
        message.candidates.push_back(std::exchange(line, {}));
      }
    };
    for (const std::uint8_t byte : argument) {
      if (byte >= ' ' && byte <= '~') {
        line += static_cast<char>(byte);
      } else {
        finish();
        const SocketAddress& address = SourceAt(byte);
        const auto type = static_cast<floe::ice::CandidateType>((byte >> 3U) & 3U);
        line = floe::ice::ToLine({.type = type,
                                  .address = address,
                                  .base = address,
                                  .priority = floe::ice::ComputePriority(type, byte),
                                  .foundation = "1"});
        finish();
      }
    }
    finish();
  }

  void SendFrame(Bytes argument) {
    const auto opcode = static_cast<signaling::Opcode>(TakeByte(argument) & 15U);
    argument = argument.first(std::min(argument.size(), signaling::kMaxControlPayload));
    WriteToA(floe::AsText(argument), opcode);
  }

  void WriteToA(std::string_view payload, signaling::Opcode opcode = signaling::Opcode::kText) {
    if (!world_.a().stream) {
      return;
    }
    const Datagram frame = SerializeFrame(opcode, floe::AsBytes(payload));
    Datagram& stream = world_.a().to_node;
    stream.insert(stream.end(), frame.begin(), frame.end());
    world_.CarryStreams();
  }

  /// Into the tunnel, at either end: whatever, or IPv4 with addresses that may pass.
  void SendPacket(Bytes argument) {
    const std::uint8_t kind = TakeByte(argument);
    Datagram packet(argument.begin(), argument.end());
    if ((kind & 1U) == 0) {
      constexpr std::size_t kHeader = 20;  // bytes
      packet.insert(packet.begin(), kHeader, 0);
      const floe::MutableBytes ip(packet);
      ip[0] = 0x45;
      floe::StoreBe(ip, 2, static_cast<std::uint16_t>(packet.size()));
      ip[9] = 1;
      std::ranges::copy(IpAddress::V4(10, 71, 0, (kind >> 2U) & 3U).octets(), ip.begin() + 12);
      std::ranges::copy(IpAddress::V4(10, 71, 0, (kind >> 4U) & 15U).octets(), ip.begin() + 16);
    }
    auto& node = (kind & 2U) != 0 ? world_.a() : world_.b();
    node.engine->HandlePacket(world_.now(), packet);
  }

  /// What happens to a's machine, its rendezvous, or by its user.
  void Change(std::uint8_t what, Bytes argument) {
    const floe::TimePoint now = world_.now();
    switch (what % 12) {
      case 0: {
        std::vector<SocketAddress> addresses;
        for (const std::uint8_t byte : argument.first(std::min<std::size_t>(argument.size(), 8))) {
          addresses.push_back({IpAddress::V4(203, 0, 113, byte & 7U), 41820});
        }
        Engine().SetLocalAddresses(now, addresses);
        break;
      }
      case 1:
        Engine().HandleNetworkChange(now);
        break;
      case 2:
        Engine().SetWanted(now, kPeer, (what & 0x80U) != 0);
        break;
      case 3:
        Engine().SetWanted(now, kDevicePeer, (what & 0x80U) != 0);
        break;
      case 4:
        Engine().HandleUnreachable(now, floe::test::kAddressA, SourceAt(TakeByte(argument)));
        break;
      case 5:
        world_.Break(world_.a());
        break;
      case 6:
        world_.Break(world_.b());
        break;
      case 7:
        Engine().SetOfferedServers(
            now, 0, (what & 0x80U) != 0 ? EngineWorld::MakeServers() : floe::engine::Servers{});
        break;
      case 8:
        Engine().SetServers(
            now, (what & 0x80U) != 0 ? EngineWorld::MakeServers() : floe::engine::Servers{});
        break;
      case 9:
        static_cast<void>(Engine().Ping(now, kPeer));
        break;
      case 10:
        world_.b().engine->SetWanted(now, kPeer, (what & 0x80U) != 0);
        break;
      default:
        if ((what & 0x80U) != 0) {
          Engine().Start(now);
        } else {
          Engine().Stop(now);
        }
        break;
    }
  }

  void CheckInvariants() {
    const floe::engine::Engine& engine = Engine();
    const floe::engine::Link& link = engine.link(kPeer);
    FLOE_CHECK(link.path().has_value() == (link.selected() != nullptr));
    FLOE_CHECK(link.wanted() || !link.path());
    FLOE_CHECK(!engine.IsUp(kPeer) || engine.IsWanted(kPeer));
    FLOE_CHECK(!engine.IsUp(kDevicePeer));  // Nobody has its key.
    FLOE_CHECK(link.agent() == nullptr || link.agent()->pairs().size() <= 100);
    FLOE_CHECK(engine.gatherer().candidates().size() <= 64);
  }

  EngineWorld world_;
};

}  // namespace

// The first byte chooses the network and how far the two have got.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes rest(data, size);
  Scenario scenario(TakeByte(rest));
  floe::fuzz::ForEachStep(
      rest, kMaxSteps, [&](std::uint8_t what, Bytes argument) { scenario.Step(what, argument); });
  return 0;
}
