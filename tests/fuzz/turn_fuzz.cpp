// Lets the input play the network between a TURN client, a server and a peer: deliver, lose, spoil
// and make up datagrams, and let time pass. Seeds: tests/fuzz/corpus/turn/.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <utility>
#include <vector>

#include "ice/turn/channel_data.h"
#include "ice/turn/client.h"
#include "ice/turn/server.h"
#include "tests/support/fake_random.h"

namespace {

using floe::Bytes;
using floe::IpAddress;
using floe::SocketAddress;
using floe::TimePoint;
using floe::ice::turn::Client;
using floe::ice::turn::Server;
using Message = std::vector<std::uint8_t>;

const SocketAddress kServer{.ip = IpAddress::V4(198, 51, 100, 1), .port = 3478};
const SocketAddress kClient{.ip = IpAddress::V4(203, 0, 113, 1), .port = 41820};
const SocketAddress kPeer{.ip = IpAddress::V4(192, 0, 2, 7), .port = 7};

floe::ice::turn::ServerConfig MakeServerConfig() {
  floe::ice::turn::ServerConfig config;
  config.auth.realm = "floe";
  config.auth.shared_secret = floe::SecretString("north");
  config.auth.users.push_back({.name = "alice", .password = floe::SecretString("wonderland")});
  config.relay_ips = {IpAddress::V4(198, 51, 100, 1)};
  return config;
}

floe::ice::turn::ClientConfig MakeClientConfig() {
  return {.local = kClient,
          .server = kServer,
          .username = "alice",
          .password = floe::SecretString("wonderland")};
}

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

class World {
 public:
  /// Takes what both have to send.
  void Drain() {
    while (auto bytes = client_.PollTransmit()) {
      Keep(to_server_, *std::move(bytes));
    }
    while (client_.PollEvent()) {
    }
    while (const auto action = server_.PollAction()) {
      if (const auto* open = std::get_if<floe::ice::turn::OpenRelay>(&*action)) {
        server_.HandleRelayOpened(now_, open->address);
      }
    }
    while (auto transmit = server_.PollTransmit()) {
      if (transmit->remote == kClient) {
        Keep(to_client_, std::move(transmit->payload));
      }
    }
    const auto next = client_.NextTimeout();
    Require(!next || *next > now_);
  }

  void ToServer(Bytes bytes) { server_.HandleDatagram(now_, kClient, kServer, bytes); }

  void ToClient(Bytes bytes) {
    const Client::Inbound inbound = client_.HandleDatagram(now_, bytes);
    if (inbound.verdict == Client::Verdict::kData && !inbound.payload.empty()) {
      Require(inbound.payload.data() >= bytes.data() &&
              inbound.payload.data() + inbound.payload.size() <= bytes.data() + bytes.size());
    }
  }

  void ToRelay(Bytes bytes) { server_.HandleRelayed(now_, client_.relayed(), kPeer, bytes); }

  /// Delivers the oldest datagram each way; `spoil` is XORed into the byte at `offset`.
  void Deliver(std::size_t offset, std::uint8_t spoil) {
    for (auto* queue : {&to_server_, &to_client_}) {
      if (queue->empty()) {
        continue;
      }
      Message message = std::move(queue->front());
      queue->pop_front();
      if (!message.empty()) {
        message[offset % message.size()] ^= spoil;
      }
      queue == &to_server_ ? ToServer(message) : ToClient(message);
    }
  }

  void Lose() {
    to_server_.clear();
    to_client_.clear();
  }

  void Pass(std::chrono::seconds time) {
    now_ += time;
    client_.HandleTimeout(now_);
    server_.HandleTimeout(now_);
  }

  void Ask(std::uint8_t what) {
    const SocketAddress peer{.ip = IpAddress::V4(192, 0, 2, what & 7U), .port = what};
    switch (what >> 5U) {
      case 0:
        client_.Permit(now_, peer.ip);
        break;
      case 1:
        client_.BindChannel(now_, peer);
        break;
      case 2:
        client_.Unbind(now_, peer);
        break;
      case 3:
        client_.Revoke(peer.ip);
        break;
      case 4:
        client_.CheckNow(now_);
        break;
      case 5:
        client_.Close(now_);
        break;
      default:
        client_.Send(now_, peer, floe::AsBytes("data"));
        break;
    }
  }

 private:
  static void Keep(std::deque<Message>& queue, Message message) {
    if (queue.size() < 64) {
      queue.push_back(std::move(message));
    }
  }

  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  floe::test::FakeRandom random_;
  Server server_{MakeServerConfig(), random_};
  Client client_{now_, MakeClientConfig(), random_};
  std::deque<Message> to_server_;
  std::deque<Message> to_client_;
};

}  // namespace

// The input is a row of steps: a byte that says what, a byte that says how much, then that many
// bytes for the steps that take some.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes rest(data, size);
  static_cast<void>(floe::ice::turn::ParseChannelData(rest));
  World world;
  for (int steps = 0; rest.size() >= 2 && steps < 200; ++steps) {
    const std::uint8_t what = rest[0];
    const std::uint8_t amount = rest[1];
    rest = rest.subspan(2);
    const Bytes bytes = rest.first(std::min<std::size_t>(amount, rest.size()));
    switch (what & 7U) {
      case 0:
        world.Deliver(0, 0);
        break;
      case 1:
        world.Deliver(amount, what);
        break;
      case 2:
        world.Lose();
        break;
      case 3:
        world.Pass(std::chrono::seconds(amount));
        break;
      case 4:
        world.Ask(amount);
        break;
      case 5:
        world.ToServer(bytes);
        rest = rest.subspan(bytes.size());
        break;
      case 6:
        world.ToClient(bytes);
        rest = rest.subspan(bytes.size());
        break;
      default:
        world.ToRelay(bytes);
        rest = rest.subspan(bytes.size());
        break;
    }
    world.Drain();
  }
  return 0;
}
