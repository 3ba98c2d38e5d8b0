// The status of a node with a peer of each kind, for tests.

#pragma once

#include "app/control/status.h"

namespace floe::control::test {

/// 2026-11-23T07:20:17.123Z.
inline constexpr WallTime kNow{std::chrono::milliseconds(1795418417123)};

inline PublicKey KeyOf(std::uint8_t byte) {
  PublicKey key;
  key.bytes.fill(byte);
  return key;
}

inline PeerStatus DirectPeer() {
  PeerStatus peer;
  peer.name = "nas";
  peer.public_key = KeyOf(2);
  peer.state = PeerState::kUp;
  peer.since = kNow - std::chrono::hours(74);
  peer.path = {.kind = PathKind::kDirect,
               .local_type = ice::CandidateType::kHost,
               .remote_type = ice::CandidateType::kServerReflexive,
               .local = ParseSocketAddress("192.0.2.1:41820"),
               .remote = ParseSocketAddress("203.0.113.7:41820"),
               .transport = PathTransport::kUdp,
               .rtt_ms = 12.1,
               .loss = 0.0,
               .since = kNow - std::chrono::hours(2),
               .mtu = 1420,
               .mtu_probing = MtuProbing{.state = "complete", .probes = 3, .black_holes = 1}};
  peer.allowed_ips = {*ParseIpPrefix("192.168.50.0/24"), *ParseIpPrefix("10.71.0.2/32")};
  peer.latest_handshake = kNow - std::chrono::seconds(61);
  peer.rx_bytes = 1'300'000'000;
  peer.tx_bytes = 92'000'000;
  peer.first_path_ms = 48.0;
  peer.direct_ms = 48.5;
  return peer;
}

inline PeerStatus RelayedPeer() {
  PeerStatus peer;
  peer.name = "vps";
  peer.public_key = KeyOf(3);
  peer.state = PeerState::kUp;
  peer.since = kNow - std::chrono::minutes(4);
  peer.path = {.kind = PathKind::kRelay,
               .local_type = ice::CandidateType::kRelayed,
               .remote_type = ice::CandidateType::kPeerReflexive,
               .local = ParseSocketAddress("[2001:db8::1]:50012"),
               .remote = ParseSocketAddress("[2001:db8::2]:33012"),
               .transport = PathTransport::kTls,
               .rtt_ms = 0.4,
               .loss = 0.002,
               .since = kNow,
               .mtu = 1280};
  peer.allowed_ips = {*ParseIpPrefix("10.71.0.4/32")};
  peer.why_relayed = "both NATs are hard";
  peer.latest_handshake = kNow;
  peer.rx_bytes = 860;
  peer.tx_bytes = 3072;
  return peer;
}

inline PeerStatus OfflinePeer() {
  PeerStatus peer;
  peer.name = "phone";
  peer.public_key = KeyOf(4);
  peer.state = PeerState::kOffline;
  peer.allowed_ips = {*ParseIpPrefix("10.71.5.0/24")};
  peer.endpoint = "phone.example:51820";
  peer.latest_handshake = kNow - std::chrono::hours(48);
  return peer;
}

inline Status SampleStatus() {
  Status status;
  status.node = {.name = "laptop",
                 .public_key = KeyOf(1),
                 .addresses = {*ParseIpAddress("10.71.0.1"), *ParseIpAddress("fd71::1")},
                 .listen_port = 41820,
                 .nat = NatKind::kEasy,
                 .nat_mapping = "endpoint-independent",
                 .port_mappings = {{"pcp", ParseSocketAddress("192.0.2.1:41820"),
                                    ParseSocketAddress("203.0.113.1:41820")}},
                 .port_prediction = PortPredictionStatus{.attempts = 2, .probes = 1282, .found = 1},
                 .since = kNow - std::chrono::hours(75)};
  status.tunnel.cipher = "OpenSSL";
  status.tunnel.offloads = {{"tso", std::nullopt}, {"udp-gro", "the kernel refuses it"}};
  status.tunnel.drops = {{"replayed_transport", 3}, {"unroutable_packet", 1}};
  status.tunnel.fragmented = 5;
  status.tunnel.clamped_mss = 2;
  status.tunnel.too_big = 4;
  status.rendezvous = {{"wss://rv.example.net", ServerState::kConnected, 21.0}};
  status.peers = {DirectPeer(), RelayedPeer(), OfflinePeer()};
  status.health = {"vps is relayed: both NATs are hard"};
  return status;
}

}  // namespace floe::control::test
