#include "tests/sim/star.h"

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "tests/support/heap_count.h"

namespace floe::sim {
namespace {

using test::HeapScope;

constexpr std::chrono::nanoseconds kUnixStart = std::chrono::seconds(1'800'000'000);
constexpr const char* kUser = "floe";
constexpr const char* kPassword = "relay password";
const IpAddress kHubAddress = IpAddress::V4(10, 71, 0, 1);

/// The nth address of 10.72.0.0/15 or 198.18.0.0/15 (RFC 2544).
IpAddress Nth(std::uint8_t first, std::uint8_t second, std::size_t n) {
  return IpAddress::V4(first, static_cast<std::uint8_t>(second + (n >> 16U)),
                       static_cast<std::uint8_t>(n >> 8U), static_cast<std::uint8_t>(n));
}

/// 2001:db8:ffff::n
IpAddress Nth6(std::size_t n) {
  std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff};
  StoreBe<std::uint32_t>(octets, 12, static_cast<std::uint32_t>(n));
  return IpAddress::FromBytes(octets);
}

}  // namespace

CountedNode::CountedNode(TimePoint now, std::chrono::nanoseconds unix_time,
                         engine::EngineConfig config, RandomSource& random) {
  const HeapScope scope;
  node_ = std::make_unique<EngineNode>(now, unix_time, std::move(config), random);
}

CountedNode::~CountedNode() = default;

void CountedNode::HandleDatagram(TimePoint now, const SocketAddress& local,
                                 const SocketAddress& remote, Bytes datagram) {
  const HeapScope scope;
  node_->HandleDatagram(now, local, remote, datagram);
}

void CountedNode::HandleTimeout(TimePoint now) {
  const HeapScope scope;
  node_->HandleTimeout(now);
}

std::optional<TimePoint> CountedNode::NextTimeout() const {
  return node_->NextTimeout();
}

std::optional<Node::Transmit> CountedNode::PollTransmit() {
  return node_->PollTransmit();
}

void CountedNode::HandleAddresses(TimePoint now, std::span<const IpAddress> addresses) {
  const HeapScope scope;
  node_->HandleAddresses(now, addresses);
}

void CountedNode::HandleStreamOpened(TimePoint now, StreamId id, const SocketAddress& remote) {
  const HeapScope scope;
  node_->HandleStreamOpened(now, id, remote);
}

void CountedNode::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  const HeapScope scope;
  node_->HandleStreamBytes(now, id, bytes);
}

void CountedNode::HandleStreamClosed(TimePoint now, StreamId id) {
  const HeapScope scope;
  node_->HandleStreamClosed(now, id);
}

std::optional<Node::StreamAction> CountedNode::PollStream() {
  return node_->PollStream();
}

Star::Star(const StarOptions& options) : sim_(options.seed) {
  rendezvous_host_ = &sim_.AddServer({.name = "rendezvous"});
  rendezvous_ = std::make_unique<RendezvousNode>(welcome_, sim_.random());
  Host& relay_host = sim_.AddServer({.name = "relay"});
  const std::string relay = ToString(SocketAddress{relay_host.ip4(), StunTurnNode::kPort});
  welcome_.stun = {"stun:" + relay};
  welcome_.turn = {"turn:" + relay + "?transport=udp"};
  welcome_.username = kUser;
  welcome_.password = SecretString(kPassword);
  ice::turn::ServerConfig config;
  config.auth.realm = "sim";
  config.auth.users.push_back({.name = kUser, .password = SecretString(kPassword)});
  config.relay_ips = {relay_host.ip4()};
  config.max_allocations_per_user = options.peers + 1;
  config.max_permissions = 4 * options.peers + 4;
  relay_ = std::make_unique<StunTurnNode>(std::move(config), sim_.random());
  relay_host.Attach(*relay_);
  rendezvous_host_->Attach(*rendezvous_);

  const PrivateKey hub_key = GeneratePrivateKey(sim_.random());
  engine::EngineConfig hub = MakeConfig(hub_key, kHubAddress);
  for (std::size_t i = 0; i < options.peers; ++i) {
    keys_.push_back(GeneratePrivateKey(sim_.random()));
    hub.peers.push_back({.name = "peer-" + std::to_string(i),
                         .key = DerivePublicKey(keys_.back()),
                         .allowed_ips = {{Nth(10, 72, i), 32}}});
  }
  hub_ = std::make_unique<CountedNode>(sim_.now(), kUnixStart, std::move(hub), sim_.random());
  Site& site =
      sim_.AddSite(SiteKind::kDualStack, {.name = "hub", .delay = std::chrono::milliseconds(10)});
  hub_host_ = &site.AddHost("hub");
  hub_host_->Attach(*hub_);
  for (std::size_t i = 0; i < options.online; ++i) {
    AddSpoke(i, DerivePublicKey(hub_key));
  }
}

engine::EngineConfig Star::MakeConfig(const PrivateKey& key, const IpAddress& address) {
  engine::EngineConfig config{
      .name = ToString(address), .private_key = key.Clone(), .addresses = {address}};
  config.rendezvous.push_back(
      {.secure = false, .host = ToString(rendezvous_host_->ip4()), .port = RendezvousNode::kPort});
  return config;
}

void Star::AddSpoke(std::size_t index, const PublicKey& hub) {
  engine::EngineConfig config = MakeConfig(keys_[index], Nth(10, 72, index));
  config.peers.push_back({.name = "hub", .key = hub, .allowed_ips = {{kHubAddress, 32}}});
  spokes_.push_back(
      std::make_unique<EngineNode>(sim_.now(), kUnixStart, std::move(config), sim_.random()));
  Host& host = sim_.AddHost("spoke-" + std::to_string(index));
  host.Join(sim_.network().internet(),
            {Nth(198, 18, 2 * index + 1), Nth(198, 18, 2 * index + 2), Nth6(index + 1)})
      .link.SetDelay(std::chrono::milliseconds(10));
  spoke_hosts_.push_back(&host);
  host.Attach(*spokes_.back());
}

std::size_t Star::linked() {
  std::size_t count = 0;
  for (engine::PeerId peer = 0; peer < keys_.size(); ++peer) {
    count += hub().IsDirect(peer) == true ? 1U : 0U;
  }
  return count;
}

std::size_t Star::hub_heap() {
  return test::CountedHeap();
}

}  // namespace floe::sim
