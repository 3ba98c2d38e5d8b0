// Lets the input play everything around an ICE agent: the network between it and a real peer, a
// peer that has the right password and no manners, and the machine it runs on. Seeds:
// tests/fuzz/corpus/agent/.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "ice/agent.h"
#include "ice/stun/builder.h"
#include "tests/fuzz/steps.h"
#include "tests/fuzz/stun_forge.h"
#include "tests/support/fake_random.h"

namespace {

using floe::Bytes;
using floe::IpAddress;
using floe::SocketAddress;
using floe::TimePoint;
using floe::fuzz::TakeByte;
using floe::ice::Agent;
using floe::ice::Candidate;
using floe::ice::CandidateType;
using floe::ice::Role;
using floe::ice::State;
using floe::ice::Transmit;
namespace stun = floe::ice::stun;

constexpr int kMaxSteps = 200;
constexpr std::size_t kMaxQueue = 64;

/// Ours are the first three, the peer's the next three; then whoever.
const std::array kAddresses = {
    SocketAddress{IpAddress::V4(203, 0, 113, 1), 41820},
    SocketAddress{*floe::ParseIpAddress("2001:db8::1"), 41820},
    SocketAddress{IpAddress::V4(198, 51, 100, 11), 50000},
    SocketAddress{IpAddress::V4(192, 0, 2, 2), 41820},
    SocketAddress{*floe::ParseIpAddress("2001:db8::2"), 41820},
    SocketAddress{IpAddress::V4(198, 51, 100, 11), 50001},
    SocketAddress{IpAddress::V4(192, 0, 2, 99), 9},
    SocketAddress{*floe::ParseIpAddress("fe80::1"), 9},
    SocketAddress{IpAddress::V4(127, 0, 0, 1), 9},
    SocketAddress{IpAddress::V4(203, 0, 113, 1), 9, floe::Transport::kTcp},
    SocketAddress{IpAddress::V4(203, 0, 113, 1), 2000, floe::Transport::kTcp},
    SocketAddress{IpAddress::V4(192, 0, 2, 2), 2000, floe::Transport::kTcp},
};

const SocketAddress& AddressAt(std::size_t place) {
  return kAddresses.at(place % kAddresses.size());
}

/// Bit 0 and 1 of `kind` are the type, bit 2 and 3 the foundation, bit 4 and 5 the end of a
/// connection.
Candidate MakeCandidate(const SocketAddress& address, std::uint8_t kind) {
  const auto type = static_cast<CandidateType>(kind & 3U);
  return {.type = type,
          .address = address,
          .base = address,
          .priority = floe::ice::ComputePriority(type, kind),
          .foundation = std::to_string((kind >> 2U) & 3U),
          .tcp_type = address.transport == floe::Transport::kTcp
                          ? std::optional(static_cast<floe::ice::TcpType>((kind >> 4U) % 3))
                          : std::nullopt};
}

class Scenario {
 public:
  explicit Scenario(std::uint8_t options)
      : agent_(now_,
               {.role = (options & 1U) != 0 ? Role::kControlling : Role::kControlled,
                .local = floe::ice::MakeCredentials(random_),
                .pace = (options & 2U) != 0 ? floe::ice::Pace::kFast : floe::ice::Pace::kStandard,
                .renomination = (options & 4U) != 0,
                .max_pairs = 8},
               random_),
        peer_(now_,
              {.role = (options & 8U) != 0 ? Role::kControlling : Role::kControlled,
               .local = floe::ice::MakeCredentials(random_)},
              random_) {
    if ((options & 16U) != 0) {
      Introduce();
    }
  }

  void Step(std::uint8_t what, Bytes argument) {
    switch (what % 10) {
      case 0:
        Deliver(argument);
        break;
      case 1:
        to_agent_.clear();
        to_peer_.clear();
        break;
      case 2:
        Pass(std::chrono::milliseconds(20) * TakeByte(argument));
        break;
      case 3:
        Pass(std::chrono::seconds(1) * TakeByte(argument));
        break;
      case 4:
        ForgeRequest(argument);
        break;
      case 5:
        ForgeResponse(argument);
        break;
      case 6:
        AddRemote(argument);
        break;
      case 7:
        ChangeMachine(argument);
        break;
      case 8:
        for (int i = 0; i < 32 && !(to_agent_.empty() && to_peer_.empty()); ++i) {
          Deliver({});
        }
        break;
      default:
        Introduce();
        break;
    }
    Drain();
    CheckInvariants();
  }

 private:
  /// What signaling would have told the two by now.
  void Introduce() {
    FLOE_CHECK(agent_.SetRemoteCredentials(now_, peer_.local_credentials()));
    FLOE_CHECK(peer_.SetRemoteCredentials(now_, agent_.local_credentials()));
    for (std::uint8_t i = 0; i < 2; ++i) {
      const Candidate ours = MakeCandidate(AddressAt(i), 0);
      const Candidate theirs = MakeCandidate(AddressAt(std::size_t{3} + i), 0);
      agent_.AddLocalCandidate(now_, ours);
      peer_.AddLocalCandidate(now_, theirs);
      static_cast<void>(agent_.AddRemoteCandidate(now_, theirs));
      static_cast<void>(peer_.AddRemoteCandidate(now_, ours));
    }
    Drain();
  }

  void Drain() {
    while (auto transmit = agent_.PollTransmit()) {
      const auto message = stun::MessageView::Parse(transmit->payload);
      FLOE_CHECK(message.has_value());
      if (message->message_class() == stun::Class::kRequest) {
        FLOE_CHECK(floe::ice::IsUsableRemote(transmit->remote));
        asked_.push_back({transmit->local, transmit->remote, message->transaction_id()});
        if (asked_.size() > 16) {
          asked_.pop_front();
        }
      }
      Keep(to_peer_, *std::move(transmit));
    }
    while (auto transmit = peer_.PollTransmit()) {
      Keep(to_agent_, *std::move(transmit));
    }
    while (agent_.PollEvent() || peer_.PollEvent()) {
    }
  }

  static void Keep(std::deque<Transmit>& queue, Transmit transmit) {
    if (queue.size() < kMaxQueue) {
      queue.push_back(std::move(transmit));
    }
  }

  /// The oldest datagram each way; the one to the agent is damaged.
  void Deliver(Bytes damage) {
    if (!to_agent_.empty()) {
      Transmit transmit = std::move(to_agent_.front());
      to_agent_.pop_front();
      floe::fuzz::Spoil(transmit.payload, damage);
      Receive(agent_, transmit.remote, transmit.local, transmit.payload);
    }
    if (!to_peer_.empty()) {
      const Transmit transmit = std::move(to_peer_.front());
      to_peer_.pop_front();
      Receive(peer_, transmit.remote, transmit.local, transmit.payload);
    }
  }

  void Receive(Agent& agent, const SocketAddress& local, const SocketAddress& remote,
               Bytes datagram) const {
    if (const auto message = stun::MessageView::Parse(datagram)) {
      agent.HandleMessage(now_, local, remote, *message);
    }
  }

  void Pass(floe::Duration time) {
    now_ += time;
    peer_.HandleTimeout(now_);
    int rounds = 0;
    do {
      agent_.HandleTimeout(now_);
      while (auto transmit = agent_.PollTransmit()) {
        Keep(to_peer_, *std::move(transmit));
      }
      FLOE_CHECK(++rounds < 64);  // It must let us sleep at last.
    } while (agent_.NextTimeout() && *agent_.NextTimeout() <= now_);
  }

  void ForgeRequest(Bytes argument) {
    const std::uint8_t way = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    stun::TransactionId id{};
    random_.Fill(id);
    stun::Builder builder((kind & 1U) != 0 ? stun::Class::kIndication : stun::Class::kRequest,
                          stun::Method::kBinding, id);
    if ((kind & 2U) == 0) {
      builder.AddText(stun::AttributeType::kUsername, agent_.local_credentials().ufrag + ":peer");
    }
    if ((kind & 4U) == 0) {
      builder.AddU32(stun::AttributeType::kPriority, 0x6E00'00FFU + kind);
    }
    if ((kind & 8U) == 0) {
      const bool controlling = agent_.role() == Role::kControlled;
      builder.AddU64(
          controlling ? stun::AttributeType::kIceControlling : stun::AttributeType::kIceControlled,
          kind);
    }
    floe::fuzz::AddForged(builder, argument, kAddresses);
    builder.AddIntegrity(floe::AsBytes(agent_.local_credentials().password)).AddFingerprint();
    Receive(agent_, AddressAt(way & 3U), AddressAt(std::size_t{3} + (way >> 2U)), builder.Take());
  }

  void ForgeResponse(Bytes argument) {
    const std::uint8_t way = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    if (asked_.empty()) {
      return;
    }
    const Asked& asked = asked_[way % asked_.size()];
    stun::Builder builder((kind & 1U) != 0 ? stun::Class::kError : stun::Class::kSuccess,
                          stun::Method::kBinding, asked.id);
    if ((kind & 2U) != 0) {
      builder.AddErrorCode(stun::ErrorCode::kRoleConflict);
    }
    floe::fuzz::AddForged(builder, argument, kAddresses);
    if ((kind & 4U) == 0) {
      builder.AddIntegrity(floe::AsBytes(peer_.local_credentials().password)).AddFingerprint();
    }
    const bool astray = (kind & 8U) != 0;
    Receive(agent_, asked.local, astray ? AddressAt(kind >> 4U) : asked.remote, builder.Take());
  }

  void AddRemote(Bytes argument) {
    const std::uint8_t which = TakeByte(argument);
    const std::uint8_t kind = TakeByte(argument);
    SocketAddress address = AddressAt(which);
    address.port = static_cast<std::uint16_t>(address.port + TakeByte(argument));
    static_cast<void>(agent_.AddRemoteCandidate(now_, MakeCandidate(address, kind)));
  }

  void ChangeMachine(Bytes argument) {
    const std::uint8_t what = TakeByte(argument);
    const SocketAddress& ours = AddressAt(what >> 4U);
    const SocketAddress& theirs = AddressAt(std::size_t{3} + (what >> 4U));
    switch (what % 10) {
      case 0:
        agent_.AddLocalCandidate(now_, MakeCandidate(ours, TakeByte(argument)));
        break;
      case 1:
        agent_.RemoveLocalBase(now_, ours);
        break;
      case 2:
        agent_.HandleUnreachable(now_, ours, theirs);
        break;
      case 3:
        agent_.HandleNetworkChange(now_);
        break;
      case 4:
        agent_.NoteDataSent(now_);
        break;
      case 5:
        agent_.NoteDataReceived(now_, ours, theirs);
        break;
      case 6:
        agent_.SetLocalEndOfCandidates();
        break;
      case 7:
        agent_.SetRemoteEndOfCandidates();
        break;
      case 8:
        agent_.SetRemoteLite(now_);
        break;
      default:
        agent_.set_renomination((what & 0x80U) != 0);
        static_cast<void>(agent_.SetRemoteCredentials(
            now_,
            {.ufrag = std::string(floe::AsText(argument)), .password = "0123456789abcdefghijkl"}));
        break;
    }
  }

  void CheckInvariants() const {
    FLOE_CHECK(agent_.path().has_value() == (agent_.state() == State::kConnected));
    FLOE_CHECK(agent_.path().has_value() == (agent_.selected() != nullptr));
    FLOE_CHECK(agent_.pairs().size() <= 8);
    if (const floe::ice::Pair* pair = agent_.selected()) {
      FLOE_CHECK(pair->valid);
      FLOE_CHECK(pair->local->base == agent_.path()->local);
      FLOE_CHECK(pair->remote->address == agent_.path()->remote);
      FLOE_CHECK(!pair->revoked);
    }
    FLOE_CHECK(agent_.nominated() == nullptr || agent_.nominated()->valid);
    for (const floe::ice::Pair& pair : agent_.pairs()) {
      FLOE_CHECK(pair.local->base.transport == pair.remote->address.transport);
    }
  }

  struct Asked {
    SocketAddress local;
    SocketAddress remote;
    stun::TransactionId id;
  };

  TimePoint now_{std::chrono::hours(1)};
  floe::test::FakeRandom random_;
  Agent agent_;
  Agent peer_;
  std::deque<Asked> asked_;
  std::deque<Transmit> to_agent_;
  std::deque<Transmit> to_peer_;
};

}  // namespace

// The first byte chooses roles and pace.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes rest(data, size);
  Scenario scenario(TakeByte(rest));
  floe::fuzz::ForEachStep(
      rest, kMaxSteps, [&](std::uint8_t what, Bytes argument) { scenario.Step(what, argument); });
  return 0;
}
