// Lets the input play the streams between a rendezvous and its nodes: two real clients whose bytes
// are delivered in pieces, damaged or mixed with forged frames, and strangers who write whatever
// they like. Seeds: tests/fuzz/corpus/rendezvous/.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/base64.h"
#include "base/check.h"
#include "signaling/client.h"
#include "signaling/hub.h"
#include "signaling/upgrade.h"
#include "tests/fuzz/steps.h"
#include "tests/support/fake_random.h"
#include "tests/support/signaling_world.h"

namespace {

using floe::Bytes;
using floe::TimePoint;
using floe::fuzz::TakeByte;
using namespace floe::signaling;  // NOLINT(google-build-using-namespace): half of it is used.

constexpr int kMaxSteps = 150;
constexpr std::size_t kMaxStrangers = 4;
using Stream = std::vector<std::uint8_t>;

const floe::SocketAddress kRemote{floe::IpAddress::V4(192, 0, 2, 1), 40000};

class Scenario {
 public:
  Scenario() {
    for (Node& node : nodes_) {
      node.key = floe::GeneratePrivateKey(random_);
      node.public_key = floe::DerivePublicKey(node.key);
      node.client = std::make_unique<Client>(ClientConfig{.url = {.host = "192.0.2.9"}}, node.key,
                                             node.public_key, random_);
      node.client->Start(now_);
    }
    Drain();
  }

  void Step(std::uint8_t what, Bytes argument) {
    Node& node = nodes_.at(what >> 7U);
    switch ((what & 0x7FU) % 12) {
      case 0:
        Open(node);
        break;
      case 1:
        Carry(node, argument);
        break;
      case 2:
        for (int i = 0; i < 8; ++i) {
          for (Node& each : nodes_) {
            Open(each);
            Carry(each, {});
            Drain();
          }
        }
        break;
      case 3:
        Pass(std::chrono::milliseconds(100) * TakeByte(argument));
        break;
      case 4:
        SendBox(node, argument);
        break;
      case 5:
        ForgeServerFrame(node, argument);
        break;
      case 6:
        if (node.is_open) {
          node.client->HandleBytes(now_, argument);
        }
        break;
      case 7:
        ControlClient(node, TakeByte(argument));
        break;
      case 8:
        OpenStranger(TakeByte(argument));
        break;
      case 9:
        WriteAsStranger(TakeByte(argument), argument);
        break;
      case 10:
        WriteAsNode(node, argument);
        break;
      default:
        hub_.HandleClosed(now_, node.connection);
        break;
    }
    Drain();
    FLOE_CHECK(hub_.online() <= hub_.connections());
  }

 private:
  struct Node {
    floe::PrivateKey key;
    floe::PublicKey public_key;
    std::unique_ptr<Client> client;
    bool wants_stream = false;
    bool is_open = false;
    ConnectionId connection = 0;
    Stream to_hub;
    Stream to_node;
    std::set<std::uint64_t> unanswered;
  };

  void Open(Node& node) {
    if (!std::exchange(node.wants_stream, false)) {
      return;
    }
    node.connection = next_connection_++;
    node.is_open = true;
    node.to_hub.clear();
    node.to_node.clear();
    hub_.HandleOpened(now_, node.connection, kRemote);
    node.client->HandleConnected(now_);
    Drain();
  }

  /// Everything under way, both ways; what goes to the hub in pieces of `argument[0]` bytes and
  /// damaged by the rest.
  void Carry(Node& node, Bytes argument) {
    const std::size_t step = std::size_t{TakeByte(argument)} + 1;
    Stream bytes = std::exchange(node.to_hub, {});
    floe::fuzz::Spoil(bytes, argument);
    for (Bytes rest = bytes; !rest.empty();) {
      const Bytes piece = rest.first(argument.empty() ? rest.size() : std::min(step, rest.size()));
      rest = rest.subspan(piece.size());
      hub_.HandleBytes(now_, node.connection, piece);
    }
    if (node.is_open) {
      node.client->HandleBytes(now_, std::exchange(node.to_node, {}));
    }
  }

  void SendBox(Node& node, Bytes argument) {
    const std::uint8_t to = TakeByte(argument);
    const std::string box =
        (to & 2U) != 0 ? std::string(floe::AsText(argument)) : floe::EncodeBase64(argument);
    node.unanswered.insert(node.client->Send(now_, nodes_.at(to & 1U).public_key, box));
  }

  void ForgeServerFrame(Node& node, Bytes argument) {
    const auto opcode = static_cast<Opcode>(TakeByte(argument) & 15U);
    const bool is_control = static_cast<std::uint8_t>(opcode) >= 8;
    argument = argument.first(
        std::min(argument.size(), is_control ? kMaxControlPayload : std::size_t{255}));
    const Stream frame = SerializeFrame(opcode, argument);
    node.to_node.insert(node.to_node.end(), frame.begin(), frame.end());
  }

  void WriteAsNode(Node& node, Bytes argument) {
    const auto opcode = static_cast<Opcode>(TakeByte(argument) & 15U);
    argument = argument.first(std::min(argument.size(), kMaxControlPayload));
    const Stream frame = SerializeMaskedFrame(opcode, argument, random_);
    node.to_hub.insert(node.to_hub.end(), frame.begin(), frame.end());
  }

  void ControlClient(Node& node, std::uint8_t what) {
    switch (what % 4) {
      case 0:
        node.client->Stop(now_);
        break;
      case 1:
        node.client->Start(now_);
        break;
      case 2:
        node.client->HandleNetworkChange(now_);
        break;
      default:
        node.is_open = false;
        node.wants_stream = false;
        node.client->HandleClosed(now_, "gone\n");
        break;
    }
  }

  /// With a WebSocket at once if bit 0 of `how` is set.
  void OpenStranger(std::uint8_t how) {
    if (strangers_.size() == kMaxStrangers) {
      hub_.HandleClosed(now_, strangers_.front());
      strangers_.erase(strangers_.begin());
    }
    strangers_.push_back(next_connection_++);
    hub_.HandleOpened(now_, strangers_.back(), kRemote);
    if ((how & 1U) != 0) {
      const std::string request =
          SerializeUpgradeRequest({.host = "192.0.2.9"}, MakeWebSocketKey(random_));
      hub_.HandleBytes(now_, strangers_.back(), floe::AsBytes(request));
    }
  }

  /// Bytes as they are, or a text frame around them if bit 7 of `which` is set.
  void WriteAsStranger(std::uint8_t which, Bytes argument) {
    if (strangers_.empty()) {
      return;
    }
    const ConnectionId id = strangers_[which % strangers_.size()];
    if ((which & 0x80U) != 0) {
      hub_.HandleBytes(now_, id, SerializeMaskedFrame(Opcode::kText, argument, random_));
    } else {
      hub_.HandleBytes(now_, id, argument);
    }
  }

  void Drain() {
    for (Node& node : nodes_) {
      Drain(node);
    }
    while (auto action = hub_.PollAction()) {
      TakeHubAction(*action);
    }
  }

  void Drain(Node& node) {
    while (auto action = node.client->PollAction()) {
      if (std::holds_alternative<Connect>(*action)) {
        FLOE_CHECK(!node.is_open);  // One stream at a time.
        node.wants_stream = true;
      } else if (const auto* write = std::get_if<Write>(&*action)) {
        FLOE_CHECK(node.is_open);
        node.to_hub.insert(node.to_hub.end(), write->bytes.begin(), write->bytes.end());
      } else {
        node.wants_stream = false;
        if (std::exchange(node.is_open, false)) {
          hub_.HandleBytes(now_, node.connection, std::exchange(node.to_hub, {}));
          hub_.HandleClosed(now_, node.connection);
        }
      }
    }
    while (const auto event = node.client->PollEvent()) {
      if (const auto* answered = std::get_if<Answered>(&*event)) {
        FLOE_CHECK(node.unanswered.erase(answered->id) == 1);  // Exactly once.
      }
    }
    FLOE_CHECK(node.client->state() != Client::State::kStopped || node.unanswered.empty());
  }

  void TakeHubAction(HubAction& action) {
    if (auto* write = std::get_if<HubWrite>(&action)) {
      for (Node& node : nodes_) {
        if (node.is_open && node.connection == write->id) {
          node.to_node.insert(node.to_node.end(), write->bytes.begin(), write->bytes.end());
          hub_.HandleWritten(now_, write->id, write->bytes.size());
        }
      }
      return;  // Strangers do not read.
    }
    const ConnectionId id = std::get<HubClose>(action).id;
    std::erase(strangers_, id);
    for (Node& node : nodes_) {
      if (node.is_open && node.connection == id) {
        node.client->HandleBytes(now_, std::exchange(node.to_node, {}));
        Drain(node);
        if (std::exchange(node.is_open, false)) {
          node.client->HandleClosed(now_, "closed");
          Drain(node);
        }
      }
    }
  }

  void Pass(floe::Duration time) {
    now_ += time;
    int rounds = 0;
    do {
      hub_.HandleTimeout(now_);
      FLOE_CHECK(++rounds < 8);  // It must let us sleep at last.
    } while (hub_.NextTimeout() && *hub_.NextTimeout() <= now_);
    for (Node& node : nodes_) {
      for (rounds = 0; node.client->NextTimeout() && *node.client->NextTimeout() <= now_;) {
        node.client->HandleTimeout(now_);
        FLOE_CHECK(++rounds < 8);
      }
    }
  }

  TimePoint now_{std::chrono::hours(1)};
  floe::test::FakeRandom random_;
  floe::test::FakeWelcomeSource source_;
  Hub hub_{{}, source_, random_};
  std::array<Node, 2> nodes_;
  ConnectionId next_connection_ = 1;
  std::vector<ConnectionId> strangers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Scenario scenario;
  floe::fuzz::ForEachStep({data, size}, kMaxSteps, [&](std::uint8_t what, Bytes argument) {
    scenario.Step(what, argument);
  });
  return 0;
}
