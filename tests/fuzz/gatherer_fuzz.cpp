// Lets the input play the servers a gatherer asks and the network before them: two real TURN
// servers whose answers are delivered, lost, spoilt or forged with the right key, and the machine
// whose addresses change. Seeds: tests/fuzz/corpus/gatherer/.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "ice/gatherer.h"
#include "ice/stun/attributes.h"
#include "ice/turn/integrity_key.h"
#include "ice/turn/server.h"
#include "tests/fuzz/steps.h"
#include "tests/fuzz/stun_forge.h"
#include "tests/support/fake_random.h"

namespace {

using floe::Bytes;
using floe::IpAddress;
using floe::SocketAddress;
using floe::TimePoint;
using floe::fuzz::TakeByte;
using floe::ice::Gatherer;
using floe::ice::Transmit;
namespace stun = floe::ice::stun;
namespace turn = floe::ice::turn;

constexpr int kMaxSteps = 200;
constexpr std::size_t kMaxQueue = 64;
constexpr const char* kUser = "alice";
constexpr const char* kPassword = "wonderland";
constexpr const char* kRealm = "floe";

/// Two of ours, two servers, a peer; then what a server may say and had better not.
const std::array kAddresses = {
    SocketAddress{IpAddress::V4(203, 0, 113, 1), 41820},
    SocketAddress{IpAddress::V4(10, 0, 0, 1), 41820},
    SocketAddress{IpAddress::V4(198, 51, 100, 1), 3478},
    SocketAddress{IpAddress::V4(198, 51, 100, 2), 3478},
    SocketAddress{IpAddress::V4(192, 0, 2, 7), 7},
    SocketAddress{IpAddress::V4(198, 51, 100, 1), 50000},
    SocketAddress{*floe::ParseIpAddress("2001:db8::1"), 41820},
    SocketAddress{IpAddress::V4(127, 0, 0, 1), 1},
    SocketAddress{IpAddress::V4(0, 0, 0, 0), 0},
    SocketAddress{*floe::ParseIpAddress("::ffff:203.0.113.1"), 41820},
};

const SocketAddress& AddressAt(std::size_t place) {
  return kAddresses.at(place % kAddresses.size());
}

turn::ServerConfig MakeServerConfig(const IpAddress& ip) {
  turn::ServerConfig config;
  config.auth.realm = kRealm;
  config.auth.users.push_back({.name = kUser, .password = floe::SecretString(kPassword)});
  config.relay_ips = {ip};
  return config;
}

class Scenario {
 public:
  Scenario() {
    for (std::size_t i = 0; i < 2; ++i) {
      servers_.at(i) =
          std::make_unique<turn::Server>(MakeServerConfig(AddressAt(2 + i).ip), random_);
    }
    gatherer_.SetLocalAddresses(now_, {AddressAt(0), AddressAt(1)});
    SetServers(3);
    Drain();
  }

  void Step(std::uint8_t what, Bytes argument) {
    switch (what % 11) {
      case 0:
        Deliver(argument);
        break;
      case 1:
        for (int i = 0; i < 16; ++i) {
          Deliver({});
          Drain();
        }
        break;
      case 2:
        queue_.clear();
        break;
      case 3:
        Pass(std::chrono::milliseconds(50) * TakeByte(argument));
        break;
      case 4:
        Pass(std::chrono::seconds(3) * TakeByte(argument));
        break;
      case 5:
        ReceiveRaw(argument);
        break;
      case 6:
        ForgeResponse(argument);
        break;
      case 7:
        ForgeInbound(argument);
        break;
      case 8:
        Use(argument);
        break;
      case 9:
        SetServers(TakeByte(argument));
        break;
      default:
        ChangeMachine(TakeByte(argument));
        break;
    }
    Drain();
    CheckInvariants();
  }

 private:
  void Drain() {
    while (auto transmit = gatherer_.PollTransmit()) {
      NoteAsked(*transmit);
      Keep(*std::move(transmit));
    }
    while (auto action = gatherer_.PollStreamAction()) {
      Act(*action);
    }
    while (gatherer_.PollEvent()) {
    }
    for (auto& server : servers_) {
      while (const auto action = server->PollAction()) {
        if (const auto* open = std::get_if<turn::OpenRelay>(&*action)) {
          server->HandleRelayOpened(now_, open->address);
        }
      }
      while (auto transmit = server->PollTransmit()) {
        Keep({transmit->local, transmit->remote, std::move(transmit->payload)});
      }
    }
  }

  /// Streams open at once. Their bytes go through the queue like datagrams, from and to an address
  /// that stands for the stream.
  void Act(floe::ice::StreamAction& action) {
    if (const auto* open = std::get_if<floe::ice::OpenStream>(&action)) {
      streams_[open->id] = open->remote;
      gatherer_.HandleStreamOpened(now_, open->id, AddressAt(0));
    } else if (auto* write = std::get_if<floe::ice::WriteStream>(&action)) {
      SocketAddress server = streams_[write->id];
      server.transport = floe::Transport::kUdp;
      Transmit transmit{EndOf(write->id), server, std::move(write->bytes)};
      NoteAsked(transmit);
      Keep(std::move(transmit));
    } else {
      streams_.erase(std::get<floe::ice::CloseStream>(action).id);
    }
  }

  static SocketAddress EndOf(floe::ice::StreamId id) {
    return {AddressAt(0).ip, static_cast<std::uint16_t>(id), floe::Transport::kTcp};
  }

  void ReceiveStream(floe::ice::StreamId id, Bytes bytes) {
    gatherer_.HandleStreamBytes(now_, id, bytes);
    while (const auto received = gatherer_.PollReceived()) {
      FLOE_CHECK(received->payload.size() <= bytes.size());
    }
  }

  void NoteAsked(const Transmit& transmit) {
    const auto message = stun::MessageView::Parse(transmit.payload);
    if (message && message->message_class() == stun::Class::kRequest) {
      asked_.push_back(
          {transmit.local, transmit.remote, message->method(), message->transaction_id()});
      if (asked_.size() > 16) {
        asked_.pop_front();
      }
    }
  }

  void Keep(Transmit transmit) {
    if (queue_.size() < kMaxQueue) {
      queue_.push_back(std::move(transmit));
    }
  }

  void Deliver(Bytes damage) {
    if (queue_.empty()) {
      return;
    }
    Transmit transmit = std::move(queue_.front());
    queue_.pop_front();
    floe::fuzz::Spoil(transmit.payload, damage);
    for (std::size_t i = 0; i < 2; ++i) {
      if (transmit.remote == AddressAt(2 + i)) {
        servers_.at(i)->HandleDatagram(now_, transmit.local, transmit.remote, transmit.payload);
        return;
      }
    }
    Receive(transmit.remote, transmit.local, transmit.payload);
  }

  void Receive(const SocketAddress& local, const SocketAddress& remote, Bytes datagram) {
    if (local.transport == floe::Transport::kTcp) {
      ReceiveStream(local.port, datagram);
      return;
    }
    const auto inbound = gatherer_.HandleDatagram(now_, local, remote, datagram);
    if (inbound.verdict != Gatherer::Verdict::kData) {
      return;
    }
    FLOE_CHECK(gatherer_.IsRelayed(inbound.local));
    if (!inbound.payload.empty()) {
      FLOE_CHECK(inbound.payload.data() >= datagram.data() &&
                 inbound.payload.data() + inbound.payload.size() <=
                     datagram.data() + datagram.size());
    }
  }

  void ReceiveRaw(Bytes argument) {
    const std::uint8_t way = TakeByte(argument);
    Receive(AddressAt(way & 3U), AddressAt(way >> 2U), argument);
    if (!streams_.empty() && (way & 0x80U) != 0) {
      const auto id = streams_.begin()->first;
      if ((way & 0x40U) != 0) {
        gatherer_.HandleStreamClosed(now_, id, "reset");
        streams_.erase(id);
      } else {
        ReceiveStream(id, argument);
      }
    }
  }

  /// The server is malicious, or somebody has its key.
  void ForgeResponse(Bytes argument) {
    const std::uint8_t which = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    if (asked_.empty()) {
      return;
    }
    const Asked& asked = asked_[which % asked_.size()];
    stun::Builder builder((kind & 1U) != 0 ? stun::Class::kError : stun::Class::kSuccess,
                          asked.method, asked.id);
    if ((kind & 2U) != 0) {
      constexpr std::array kCodes = {
          stun::ErrorCode::kUnauthenticated,      stun::ErrorCode::kStaleNonce,
          stun::ErrorCode::kAllocationMismatch,   stun::ErrorCode::kTryAlternate,
          stun::ErrorCode::kInsufficientCapacity, stun::ErrorCode::kForbidden,
          stun::ErrorCode::kBadRequest,           stun::ErrorCode::kServerError};
      builder.AddErrorCode(kCodes.at((kind >> 5U) % kCodes.size()));
    }
    if ((kind & 16U) != 0) {
      builder.AddU32(stun::AttributeType::kLifetime, TakeByte(argument));
    }
    floe::fuzz::AddForged(builder, argument, kAddresses);
    if ((kind & 4U) == 0) {
      const auto algorithm =
          (kind & 8U) != 0 ? turn::PasswordAlgorithm::kSha256 : turn::PasswordAlgorithm::kMd5;
      turn::IntegrityKey(algorithm, kUser, kRealm, kPassword).Seal(builder);
    }
    Receive(asked.local, asked.remote, builder.Take());
  }

  /// A Data indication or ChannelData from a server.
  void ForgeInbound(Bytes argument) {
    const std::uint8_t way = TakeByte(argument);
    const SocketAddress& server = AddressAt(2 + (way & 1U));
    const SocketAddress& local = AddressAt((way >> 1U) & 1U);
    if ((way & 4U) != 0) {
      std::vector<std::uint8_t> datagram(4);
      floe::StoreBe(floe::MutableBytes(datagram), 0,
                    static_cast<std::uint16_t>(0x4000U + (way >> 4U)));
      floe::StoreBe(floe::MutableBytes(datagram), 2, static_cast<std::uint16_t>(argument.size()));
      datagram.insert(datagram.end(), argument.begin(), argument.end());
      Receive(local, server, datagram);
      return;
    }
    stun::TransactionId id{};
    random_.Fill(id);
    stun::Builder builder(stun::Class::kIndication, stun::Method::kData, id);
    if ((way & 8U) != 0) {
      builder.AddAddress(stun::AttributeType::kXorPeerAddress, AddressAt(way >> 4U));
    }
    floe::fuzz::AddForged(builder, argument, kAddresses);
    Receive(local, server, builder.Take());
  }

  void Use(Bytes argument) {
    const std::uint8_t how = TakeByte(argument);
    SocketAddress remote = AddressAt(how >> 4U);
    remote.port = static_cast<std::uint16_t>(remote.port + TakeByte(argument));
    const auto& candidates = gatherer_.candidates();
    const SocketAddress base =
        candidates.empty() ? AddressAt(0) : candidates[(how & 7U) % candidates.size()].base;
    if ((how & 8U) != 0) {
      gatherer_.UseForData(now_, base, remote);
    } else {
      gatherer_.Send(now_, base, remote, {argument.begin(), argument.end()});
    }
  }

  /// Bits 0 and 1: which are STUN servers; bits 2 and 3: which are no relays; bits 4 to 6: which
  /// transports lead to the relays beside UDP, and that UDP does not.
  void SetServers(unsigned which) {
    std::vector<SocketAddress> stun_servers;
    std::vector<floe::ice::RelayServer> relays;
    for (std::size_t i = 0; i < 2; ++i) {
      if (((which >> i) & 1U) != 0) {
        stun_servers.push_back(AddressAt(2 + i));
      }
      if (((which >> (i + 2)) & 1U) == 0) {
        for (const auto transport :
             {floe::ice::RelayTransport::kUdp, floe::ice::RelayTransport::kTcp,
              floe::ice::RelayTransport::kTls}) {
          const bool udp = transport == floe::ice::RelayTransport::kUdp;
          const bool wanted = ((which >> (4 + static_cast<unsigned>(transport))) & 1U) != 0;
          if (wanted != udp) {
            relays.push_back({.address = AddressAt(2 + i),
                              .username = kUser,
                              .password = floe::SecretString(kPassword),
                              .transport = transport});
          }
        }
      }
    }
    gatherer_.SetServers(now_, stun_servers, std::move(relays));
  }

  void ChangeMachine(unsigned what) {
    switch (what % 4) {
      case 0: {
        std::vector<SocketAddress> addresses;
        for (const std::size_t place : {std::size_t{0}, std::size_t{1}, std::size_t{6}}) {
          if (((what >> (2 + place % 4)) & 1U) != 0) {
            addresses.push_back(AddressAt(place));
          }
        }
        gatherer_.SetLocalAddresses(now_, addresses);
        addresses_ = addresses;
        return;
      }
      case 1:
        gatherer_.HandleNetworkChange(now_);
        return;
      case 2:
        gatherer_.Close(now_);
        return;
      default:
        // A server restarts and has forgotten everything.
        servers_.at((what >> 2U) & 1U) = std::make_unique<turn::Server>(
            MakeServerConfig(AddressAt(std::size_t{2} + ((what >> 2U) & 1U)).ip), random_);
        return;
    }
  }

  void Pass(floe::Duration time) {
    now_ += time;
    for (auto& server : servers_) {
      server->HandleTimeout(now_);
    }
    int rounds = 0;
    do {
      gatherer_.HandleTimeout(now_);
      while (auto transmit = gatherer_.PollTransmit()) {
        NoteAsked(*transmit);
        Keep(*std::move(transmit));
      }
      FLOE_CHECK(++rounds < 64);  // It must let us sleep at last.
    } while (gatherer_.NextTimeout() && *gatherer_.NextTimeout() <= now_);
  }

  void CheckInvariants() const {
    // For each of our addresses: itself, what two STUN servers and two relays see. Of each relay,
    // for a while, three ways of two addresses each.
    const auto& candidates = gatherer_.candidates();
    FLOE_CHECK(candidates.size() <= addresses_.size() * 5 + 12);
    std::set<std::pair<SocketAddress, SocketAddress>> seen;
    for (const floe::ice::Candidate& candidate : candidates) {
      FLOE_CHECK(seen.emplace(candidate.base, candidate.address).second);
      const bool is_ours = std::ranges::find(addresses_, candidate.base) != addresses_.end();
      FLOE_CHECK(is_ours || gatherer_.IsRelayed(candidate.base));
      FLOE_CHECK(!is_ours || !gatherer_.IsRelayed(candidate.base));
    }
    for (const SocketAddress& address : addresses_) {
      FLOE_CHECK(seen.contains({address, address}));  // No server can take it away.
    }
    static_cast<void>(gatherer_.nat());
  }

  struct Asked {
    SocketAddress local;
    SocketAddress remote;
    stun::Method method;
    stun::TransactionId id;
  };

  TimePoint now_{std::chrono::hours(1)};
  floe::test::FakeRandom random_;
  Gatherer gatherer_{random_};
  std::array<std::unique_ptr<turn::Server>, 2> servers_;
  std::vector<SocketAddress> addresses_{AddressAt(0), AddressAt(1)};
  std::deque<Asked> asked_;
  std::deque<Transmit> queue_;
  std::map<floe::ice::StreamId, SocketAddress> streams_;  // That are open, and to where.
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Scenario scenario;
  floe::fuzz::ForEachStep({data, size}, kMaxSteps, [&](std::uint8_t what, Bytes argument) {
    scenario.Step(what, argument);
  });
  return 0;
}
