// A whole node without I/O: gatherer, links, tunnel and rendezvous clients, joined.
//
// The runtime (../runtime) gives it sockets, a TUN device and a clock; the simulator (tests/sim)
// gives it a virtual network. Both see the same inputs and outputs.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "app/floed/engine/courier.h"
#include "app/floed/engine/link.h"
#include "app/floed/engine/pinger.h"
#include "app/floed/engine/static_endpoint.h"
#include "base/bytes.h"
#include "base/key.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/gatherer.h"
#include "ice/mdns/resolver.h"
#include "ice/portmap/mapper.h"
#include "signaling/client.h"
#include "signaling/url.h"
#include "tunnel/tunnel.h"

namespace floe::engine {

struct PeerConfig {
  std::string name;
  PublicKey key;
  std::optional<PresharedKey> preshared_key;
  std::vector<IpPrefix> allowed_ips;
  Duration persistent_keepalive{0};
  /// Set: a plain WireGuard device. Its address comes with SetEndpoint().
  bool is_static = false;
};

struct EngineConfig {
  std::string name;
  PrivateKey private_key;
  std::vector<IpAddress> addresses;  // Ours inside the tunnel.
  PathPolicy policy = PathPolicy::kAll;
  bool tell_public_only = false;  // No private addresses: RFC 8828 section 5.2, mode 3.
  bool port_prediction = false;   // See predictor.h.
  bool pcp = true;                // Whether routers are asked to map our port, by this...
  bool nat_pmp = true;            // ...and by this. Which routers, SetGateways() says.
  // Those there are at the start; the engine takes them out of here.
  std::vector<signaling::Url> rendezvous;
  std::vector<PeerConfig> peers;
  std::uint16_t mtu = 1408;                                   // Of the TUN device, in bytes.
  const tunnel::Cipher* cipher = &tunnel::ReferenceCipher();  // Outlives the engine.
  bool packet_path = false;                                   // Somebody uses forwarding().
  tunnel::KeyLog* key_log = nullptr;                          // So does this, if there is one.
};

/// STUN and TURN servers with their addresses resolved.
struct Servers {
  std::vector<SocketAddress> stun;
  std::vector<ice::RelayServer> relays;
  /// How long the credentials of the relays are good for, if not for ever.
  std::optional<Duration> lifetime;
};

// What the runtime is asked to do.

/// A rendezvous handed out these; the runtime resolves names and calls SetOfferedServers().
struct ResolveServers {
  StreamId id;
  signaling::Welcome welcome;
};

/// The router speaks neither PCP nor NAT-PMP; the runtime may know how to ask it by UPnP, and calls
/// SetUpnpMapping(). Comes again now and then.
struct MapByUpnp {
  ice::portmap::Gateway gateway;
};

/// The credentials of the configured relays will run out: the runtime makes others, and calls
/// SetServers() anew.
struct RenewServers {};

/// This many UDP sockets at this address, any ports: the answer is SetProbeSockets(). What comes to
/// them is for HandleDatagram(), and what has one of them as its local address leaves from it.
struct OpenSockets {
  PeerId peer;
  IpAddress ip;
  std::size_t count;
};

struct CloseSockets {
  std::vector<SocketAddress> sockets;
};

/// The endpoint of a static peer does not answer, or the network is another: the runtime looks its
/// name up and calls SetEndpoint().
struct ResolveEndpoint {
  PeerId peer;
};

using Action = std::variant<OpenSockets, CloseSockets, OpenStream, WriteStream, CloseStream,
                            ResolveServers, RenewServers, MapByUpnp, ResolveEndpoint>;

// What the runtime may want to tell the user.

struct PeerUp {
  PeerId peer;
  bool relayed;
};

struct PeerDown {
  PeerId peer;
};

struct PathMoved {
  PeerId peer;
  ice::Path path;
};

struct RendezvousUp {
  StreamId id;
};

struct RendezvousDown {
  StreamId id;
  std::string reason;
};

/// A port that a router forwards to us.
struct PortMapping {
  std::string_view protocol;  // "pcp", "nat-pmp" or "upnp"
  SocketAddress internal;
  SocketAddress external;
};

using Notice =
    std::variant<PeerUp, PeerDown, PathMoved, RendezvousUp, RendezvousDown, ice::RelayRefused>;

struct EngineCounters {
  std::uint64_t unknown_datagrams = 0;  // Neither WireGuard, STUN nor a relay's.
  std::uint64_t unrouted_stun = 0;      // STUN for no session of ours.
  std::uint64_t no_path = 0;            // Tunnel datagrams with nowhere to go.
  std::uint64_t unwanted_direct = 0;    // WireGuard past the relays, where only those are used.
};

/// Owns no socket, timer or thread: one input, then all outputs, then sleep until NextTimeout().
class Engine {
 public:
  /// `unix_time` is the time since 1970 at `now`. `random` must outlive the engine.
  Engine(TimePoint now, std::chrono::nanoseconds unix_time, EngineConfig config,
         RandomSource& random);

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Inputs.

  /// Connects to the rendezvous and looks for every peer.
  void Start(TimePoint now);
  /// Leaves: allocations are given back, streams closed.
  void Stop(TimePoint now);

  // What a configuration that is read anew changes. No other peer notices. Peers and servers of the
  // first one have ids from 0 on, in its order; those that come later go on counting. No id is ever
  // given again, nor to be used once its peer or server is removed.

  /// Nothing, and nothing changes, if its key is another peer's or of no use. It is not wanted yet.
  [[nodiscard]] std::optional<PeerId> AddPeer(TimePoint now, PeerConfig peer);
  /// Its keys are forgotten at once, and what it sends is a stranger's.
  void RemovePeer(TimePoint now, PeerId id);
  /// All but the key may be another. The session goes on, but with another preshared key.
  void ChangePeer(TimePoint now, PeerId id, PeerConfig peer);
  [[nodiscard]] StreamId AddRendezvous(TimePoint now, const signaling::Url& url);
  void RemoveRendezvous(TimePoint now, StreamId id);

  /// Ours inside the tunnel.
  void SetAddresses(std::vector<IpAddress> addresses) {
    tunnel_.SetOwnAddresses(addresses);
    config_.addresses = std::move(addresses);
  }

  /// Addresses to gather from, with the port of our socket, preferred ones first.
  void SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses);
  /// Where connections of ICE over TCP are accepted, likewise. Not to be called if only relays may
  /// be used.
  void SetTcpAddresses(TimePoint now, const std::vector<SocketAddress>& passive);
  /// Of our addresses, those in these networks are not told to peers from here on.
  void SetHidden(std::vector<IpPrefix> hidden);
  /// Routers that may forward a port to us, for those of our addresses that have one.
  void SetGateways(TimePoint now, const std::vector<ice::portmap::Gateway>& gateways);
  /// What the runtime has obtained by UPnP for one of our addresses, or nothing any more.
  void SetUpnpMapping(TimePoint now, const SocketAddress& internal,
                      std::optional<SocketAddress> external);
  void HandleNetworkChange(TimePoint now);
  /// Servers of the configuration.
  void SetServers(TimePoint now, Servers servers);
  /// Servers that a rendezvous handed out.
  void SetOfferedServers(TimePoint now, StreamId id, Servers servers);
  /// As many as could be had, each with its port.
  void SetProbeSockets(TimePoint now, PeerId peer, std::vector<SocketAddress> sockets);
  /// What the endpoint of a static peer stands for, the preferred address first; none if that could
  /// not be found out. It is not asked for at the start, but by ResolveEndpoint from then on.
  void SetEndpoint(TimePoint now, PeerId peer, std::vector<SocketAddress> addresses);

  /// Another endpoint is configured: where the device was heard until now means nothing.
  void ForgetEndpoint(PeerId peer) {
    if (peers_[peer]->endpoint) {
      *peers_[peer]->endpoint = {};
      Touch(peer);
    }
  }

  void SetWanted(TimePoint now, PeerId peer, bool wanted);

  /// `tos` as it came in the IP header, or 0 where that is not known.
  void HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      Bytes datagram, std::uint8_t tos = 0);
  /// The network would not send from `local` to `remote`.
  void HandleUnreachable(TimePoint now, const SocketAddress& local, const SocketAddress& remote);
  /// What was sent from `local` to `remote` was too large; `fits` bytes go in one piece, they say.
  void HandleTooBig(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                    std::size_t fits);
  void HandlePacket(TimePoint now, Bytes packet);  // From the TUN device.
  /// Packet threads have been at work (tunnel/forwarding.h).
  void HandleActivity(TimePoint now);
  /// A packet of a peer's that may answer Ping().
  void HandlePeersPacket(TimePoint now, PeerId peer, Bytes packet);
  void HandleMdns(TimePoint now, Bytes datagram);  // From port 5353, RFC 6762.

  // Of streams to relays, whose ids are the gatherer's.

  void HandleRelayStreamOpened(TimePoint now, ice::StreamId id, const SocketAddress& local);
  void HandleRelayStreamBytes(TimePoint now, ice::StreamId id, Bytes bytes);
  void HandleRelayStreamClosed(TimePoint now, ice::StreamId id, std::string_view reason);

  // Of streams to the rendezvous.

  /// `binding` is that of the TLS of wss://.
  void HandleStreamOpened(TimePoint now, StreamId id,
                          const std::optional<signaling::ChannelBinding>& binding = {});
  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes);
  void HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason);

  void HandleTimeout(TimePoint now);

  /// Sends an echo request through the tunnel. Nothing if the peer has no single address or is
  /// removed, or we have none of its family.
  [[nodiscard]] std::optional<std::uint16_t> Ping(TimePoint now, PeerId peer);

  // Outputs.

  [[nodiscard]] std::optional<ice::Transmit> PollTransmit();
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollPacket();  // For the TUN device.
  [[nodiscard]] std::optional<Action> PollAction();
  [[nodiscard]] std::optional<ice::StreamAction> PollRelayAction();
  /// A question for the multicast groups of RFC 6762 on every network of ours.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> PollMdnsQuery();
  [[nodiscard]] std::optional<Notice> PollNotice();
  [[nodiscard]] std::optional<Pong> PollPong();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  /// What threads need that carry packets past HandleDatagram() and HandlePacket().
  [[nodiscard]] tunnel::Forwarding& forwarding() { return tunnel_.forwarding(); }

  // State, for status.

  [[nodiscard]] const EngineConfig& config() const { return config_; }

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  [[nodiscard]] std::optional<PeerId> FindPeer(std::string_view name) const;

  /// In the order of their coming.
  [[nodiscard]] std::vector<PeerId> peer_ids() const;

  [[nodiscard]] const PeerConfig& peer_config(PeerId peer) const { return peers_[peer]->config; }

  [[nodiscard]] const Link& link(PeerId peer) const { return *peers_[peer]->link; }

  /// Where a static peer is, as far as is known.
  [[nodiscard]] std::optional<tunnel::Way> endpoint(PeerId peer) const {
    const auto& endpoint = peers_[peer]->endpoint;
    return endpoint ? endpoint->way() : std::nullopt;
  }

  [[nodiscard]] bool IsUp(PeerId peer) const { return peers_[peer]->up; }

  /// The largest inner packet that goes to the peer in one piece, in bytes.
  [[nodiscard]] std::size_t room(PeerId peer) const { return peers_[peer]->room; }

  [[nodiscard]] bool IsWanted(PeerId peer) const { return peers_[peer]->wanted; }

  [[nodiscard]] tunnel::PeerStats Stats(PeerId peer) const { return tunnel_.Stats(peer); }

  [[nodiscard]] const ice::Gatherer& gatherer() const { return gatherer_; }

  [[nodiscard]] const signaling::Client& rendezvous(StreamId id) const {
    return courier_.client(id);
  }

  [[nodiscard]] std::vector<PortMapping> port_mappings() const;

  /// Of all links together.
  [[nodiscard]] PredictionCounters prediction_counters() const;

  [[nodiscard]] const EngineCounters& counters() const { return counters_; }

  /// Whether more strangers begin handshakes than we can look at.
  [[nodiscard]] bool IsFlooded() const { return tunnel_.IsFlooded(); }

  [[nodiscard]] const tunnel::Counters& tunnel_counters() const { return tunnel_.counters(); }

  [[nodiscard]] tunnel::RoomCounters room_counters() const { return tunnel_.room_counters(); }

 private:
  struct Peer {
    PeerConfig config;  // Without the preshared key, which is the tunnel's.
    std::unique_ptr<Link> link;
    std::unique_ptr<StaticEndpoint> endpoint;  // Of a static peer, and of it alone.
    bool wanted = false;
    bool up = false;               // A handshake has completed since there is a path.
    std::uint16_t room = 0;        // As the tunnel knows it.
    std::uint32_t handshakes = 0;  // Repeated since one was completed, or the path was another.
    std::uint64_t agents_version = 0;
    std::vector<std::string> ufrags;
    std::vector<std::uint32_t> tags;
    std::optional<TimePoint> deadline;
    std::optional<TimePoint> next_handshake;  // While there is a path and no session.
    /// The latest answer to a handshake of the peer's that was sent without a path, or not at all.
    std::optional<std::pair<TimePoint, std::vector<std::uint8_t>>> kept_answer;
  };

  void HandleDueLinks(TimePoint now);
  void Drain(TimePoint now);
  bool DrainMapper(TimePoint now);
  void ApplyPortMapping(const SocketAddress& internal);
  bool DrainGatherer(TimePoint now);
  bool DrainLink(TimePoint now, PeerId id);
  bool DrainSocketWishes(TimePoint now, PeerId id);
  bool DrainNames(TimePoint now);
  bool DrainTunnel(TimePoint now);
  bool DrainCourier(TimePoint now);
  void HandleCourierEvent(TimePoint now, CourierEvent event);
  void HandleTunnelEvent(TimePoint now, const tunnel::Event& event);
  void HandlePathChanged(TimePoint now, PeerId id);
  /// What was inside of what a relay has sent us.
  void HandleRelayed(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                     Bytes datagram, std::uint8_t tos);
  void HandleStun(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                  Bytes datagram);
  void HandleTunnelDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                            Bytes datagram, std::uint8_t tos);
  void Route(TimePoint now, tunnel::Datagram datagram);
  void RouteToStatic(TimePoint now, Peer& peer, tunnel::Datagram datagram);
  void DeliverPacket(TimePoint now, PeerId id, std::vector<std::uint8_t> packet);
  /// Tells packet threads which way the peer's packets go.
  void UpdateWay(TimePoint now, PeerId id);
  void RetryHandshake(TimePoint now, PeerId id);
  void SendKeptAnswer(TimePoint now, Peer& peer);
  void IndexAgents(PeerId id);
  void UpdateDeadline(PeerId id);
  void UpdateRoom(PeerId id);
  void ApplyServers(TimePoint now);

  /// Tells the link whose checks go from `local` to `remote` that they do not arrive.
  void TellUnreachable(TimePoint now, const SocketAddress& local, const SocketAddress& remote);

  void Touch(PeerId id) { touched_.insert(id); }

  /// Calls `visit` with the id and the peer, for each there is.
  template <typename Visit>
  void ForEachPeer(Visit visit) {
    for (PeerId id = 0; id < peers_.size(); ++id) {
      if (peers_[id]) {
        visit(id, *peers_[id]);
      }
    }
  }

  void SetStatic(TimePoint now, PeerId id, bool is_static);
  void ForgetIndices(PeerId id);
  void GuessServers(const signaling::Url& url);

  EngineConfig config_;
  PublicKey public_key_;
  RandomSource& random_;
  UnixClock clock_;
  ice::Gatherer gatherer_;
  ice::Pacer pacer_;  // One for all links: the network is one.
  ice::mdns::Resolver mdns_;
  ice::portmap::Mapper mapper_;
  std::map<SocketAddress, SocketAddress> upnp_;  // By the address of ours.
  tunnel::Tunnel tunnel_;
  Courier courier_;
  Pinger pinger_;
  std::vector<std::unique_ptr<Peer>> peers_;  // By PeerId. Null: removed.
  std::vector<Servers> offered_;              // By StreamId. Empty: removed.
  Servers configured_;
  std::optional<TimePoint> renew_servers_at_;
  std::unordered_map<std::string, PeerId> by_ufrag_;
  std::unordered_map<std::uint32_t, PeerId> by_tag_;
  std::set<std::pair<TimePoint, PeerId>> deadlines_;
  std::set<PeerId> touched_;  // Links with outputs to drain.
  // Whose checks went from here to there, by a hash of the two: the latest, for
  // HandleUnreachable().
  std::unordered_map<std::uint64_t, PeerId> senders_;
  std::optional<TimePoint>
      next_recheck_;  // No sooner are the servers asked again for a suspect path.
  std::map<SocketAddress, PeerId> probe_sockets_;  // Beside the machine's own, of port prediction.
  EngineCounters counters_;
  std::size_t static_peers_ = 0;
  std::deque<std::vector<std::uint8_t>> packets_;
  std::deque<Action> actions_;
  std::deque<Notice> notices_;
};

}  // namespace floe::engine
