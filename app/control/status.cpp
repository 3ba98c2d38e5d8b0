#include "app/control/status.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "app/control/json_fields.h"
#include "app/control/words.h"

namespace floe::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr Words<NatKind, 5> kNatWords = {{{NatKind::kUnknown, "unknown"},
                                          {NatKind::kNone, "none"},
                                          {NatKind::kEasy, "easy"},
                                          {NatKind::kHard, "hard"},
                                          {NatKind::kBlocked, "blocked"}}};
constexpr Words<ServerState, 3> kServerWords = {{{ServerState::kConnecting, "connecting"},
                                                 {ServerState::kConnected, "connected"},
                                                 {ServerState::kDisconnected, "disconnected"}}};
constexpr Words<PeerState, 4> kPeerWords = {{{PeerState::kDown, "down"},
                                             {PeerState::kOffline, "offline"},
                                             {PeerState::kConnecting, "connecting"},
                                             {PeerState::kUp, "up"}}};
constexpr Words<PathKind, 3> kPathWords = {
    {{PathKind::kNone, "none"}, {PathKind::kDirect, "direct"}, {PathKind::kRelay, "relay"}}};
constexpr Words<PathTransport, 3> kTransportWords = {
    {{PathTransport::kUdp, "udp"}, {PathTransport::kTcp, "tcp"}, {PathTransport::kTls, "tls"}}};
constexpr Words<ice::CandidateType, 4> kCandidateWords = {
    {{ice::CandidateType::kHost, "host"},
     {ice::CandidateType::kServerReflexive, "srflx"},
     {ice::CandidateType::kPeerReflexive, "prflx"},
     {ice::CandidateType::kRelayed, "relay"}}};

// Writing.

Json Number(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? Json(*number) : Json(nullptr);
}

Json Time(const std::optional<WallTime>& time) {
  return time ? Json(FormatRfc3339(*time)) : Json(nullptr);
}

Json Text(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

Json Address(const std::optional<SocketAddress>& address) {
  return address ? Json(ToString(*address)) : Json(nullptr);
}

Json Candidate(const std::optional<ice::CandidateType>& type) {
  return type ? Json(CandidateWord(*type)) : Json(nullptr);
}

template <typename T>
Json Texts(const std::vector<T>& values) {
  Json texts = Json::array();
  for (const T& value : values) {
    texts.push_back(ToString(value));
  }
  return texts;
}

Json PortPrediction(const std::optional<PortPredictionStatus>& prediction) {
  if (!prediction) {
    return nullptr;
  }
  return {{"attempts", prediction->attempts},
          {"probes", prediction->probes},
          {"found", prediction->found}};
}

Json NodeJson(const NodeStatus& node) {
  Json mappings = Json::array();
  for (const PortMappingStatus& mapping : node.port_mappings) {
    mappings.push_back({{"protocol", mapping.protocol},
                        {"internal", Address(mapping.internal)},
                        {"external", Address(mapping.external)}});
  }
  return {{"name", node.name},
          {"public_key", ToString(node.public_key)},
          {"addresses", Texts(node.addresses)},
          {"listen_port", node.listen_port},
          {"nat", ToString(node.nat)},
          {"nat_mapping", Text(node.nat_mapping)},
          {"nat_filtering", Text(node.nat_filtering)},
          {"port_mappings", std::move(mappings)},
          {"port_prediction", PortPrediction(node.port_prediction)},
          {"since", Time(node.since)}};
}

Json TunnelJson(const TunnelStatus& tunnel) {
  Json offloads = Json::object();
  for (const OffloadStatus& offload : tunnel.offloads) {
    offloads[offload.name] = {{"on", !offload.off_because}, {"reason", Text(offload.off_because)}};
  }
  Json drops = Json::object();
  for (const DropStatus& drop : tunnel.drops) {
    drops[drop.reason] = drop.count;
  }
  return {{"cipher", tunnel.cipher},           {"offloads", std::move(offloads)},
          {"drops", std::move(drops)},         {"fragmented", tunnel.fragmented},
          {"clamped_mss", tunnel.clamped_mss}, {"too_big", tunnel.too_big}};
}

Json MtuProbingJson(const std::optional<MtuProbing>& probing) {
  if (!probing) {
    return nullptr;
  }
  return {{"state", probing->state},
          {"probes", probing->probes},
          {"black_holes", probing->black_holes}};
}

Json PathJson(const PathStatus& path) {
  return {{"kind", ToString(path.kind)},
          {"local_type", Candidate(path.local_type)},
          {"remote_type", Candidate(path.remote_type)},
          {"local", Address(path.local)},
          {"remote", Address(path.remote)},
          {"transport", ToString(path.transport)},
          {"rtt_ms", Number(path.rtt_ms)},
          {"loss", Number(path.loss)},
          {"since", Time(path.since)},
          {"mtu", path.mtu},
          {"mtu_probing", MtuProbingJson(path.mtu_probing)}};
}

Json PeerJson(const PeerStatus& peer) {
  return {{"name", peer.name},
          {"public_key", ToString(peer.public_key)},
          {"state", ToString(peer.state)},
          {"since", Time(peer.since)},
          {"path", PathJson(peer.path)},
          {"allowed_ips", Texts(peer.allowed_ips)},
          {"endpoint", Text(peer.endpoint)},
          {"why_relayed", Text(peer.why_relayed)},
          {"latest_handshake", Time(peer.latest_handshake)},
          {"rx_bytes", peer.rx_bytes},
          {"tx_bytes", peer.tx_bytes},
          {"connect_ms",
           {{"first_path", Number(peer.first_path_ms)}, {"direct", Number(peer.direct_ms)}}}};
}

// Reading. Each returns whether all of its fields were as they should be.

template <typename T, std::size_t N>
void ReadWord(JsonFields& fields, const char* key, const Words<T, N>& words, T& value) {
  const auto known = FromWord(words, fields.String(key));
  if (known) {
    value = *known;
  } else {
    fields.SetBad();
  }
}

template <typename T, typename Parse>
void ReadMaybe(JsonFields& fields, const char* key, Parse parse, std::optional<T>& value) {
  const auto text = fields.MaybeString(key);
  if (!text) {
    return;
  }
  value = parse(*text);
  if (!value) {
    fields.SetBad();
  }
}

void ReadKey(JsonFields& fields, PublicKey& key) {
  const auto parsed = ParsePublicKey(fields.String("public_key"));
  if (parsed) {
    key = *parsed;
  } else {
    fields.SetBad();
  }
}

std::optional<ice::CandidateType> ParseCandidateType(std::string_view text) {
  return FromWord(kCandidateWords, text);
}

template <typename T>
bool ReadAll(JsonFields& fields, const char* key, bool (*read)(const nlohmann::json&, T&),
             std::vector<T>& values) {
  const auto objects = fields.MaybeObjects(key);
  return std::ranges::all_of(
      objects, [&](const nlohmann::json* object) { return read(*object, values.emplace_back()); });
}

bool ReadPortMapping(const nlohmann::json& object, PortMappingStatus& mapping) {
  JsonFields fields(object);
  mapping.protocol = fields.String("protocol");
  ReadMaybe(fields, "internal", ParseSocketAddress, mapping.internal);
  ReadMaybe(fields, "external", ParseSocketAddress, mapping.external);
  return fields.good();
}

bool ReadPortPrediction(const nlohmann::json& object, PortPredictionStatus& prediction) {
  JsonFields fields(object);
  prediction.attempts = fields.Unsigned("attempts");
  prediction.probes = fields.Unsigned("probes");
  prediction.found = fields.Unsigned("found");
  return fields.good();
}

bool ReadNode(const nlohmann::json& object, NodeStatus& node) {
  JsonFields fields(object);
  node.name = fields.String("name");
  ReadKey(fields, node.public_key);
  for (const std::string& text : fields.MaybeStrings("addresses")) {
    const auto ip = ParseIpAddress(text);
    ip ? node.addresses.push_back(*ip) : fields.SetBad();
  }
  node.listen_port = static_cast<std::uint16_t>(fields.Unsigned("listen_port", UINT16_MAX));
  ReadWord(fields, "nat", kNatWords, node.nat);
  node.nat_mapping = fields.MaybeString("nat_mapping");
  node.nat_filtering = fields.MaybeString("nat_filtering");
  ReadMaybe(fields, "since", ParseRfc3339, node.since);
  if (const auto* prediction = fields.MaybeObject("port_prediction")) {
    if (!ReadPortPrediction(*prediction, node.port_prediction.emplace())) {
      return false;
    }
  }
  return ReadAll(fields, "port_mappings", ReadPortMapping, node.port_mappings) && fields.good();
}

bool ReadTunnel(const nlohmann::json& object, TunnelStatus& tunnel) {
  JsonFields fields(object);
  tunnel.cipher = fields.MaybeString("cipher").value_or("");
  tunnel.fragmented = fields.Unsigned("fragmented");
  tunnel.clamped_mss = fields.Unsigned("clamped_mss");
  tunnel.too_big = fields.Unsigned("too_big");
  const nlohmann::json* const drops = fields.MaybeObject("drops");
  if (drops != nullptr) {
    JsonFields counts(*drops);
    for (const auto& [reason, count] : drops->items()) {
      tunnel.drops.push_back({reason, counts.Unsigned(reason.c_str())});
    }
    if (!counts.good()) {
      return false;
    }
  }
  const nlohmann::json* const offloads = fields.MaybeObject("offloads");
  if (offloads == nullptr) {
    return fields.good();
  }
  for (const auto& [name, value] : offloads->items()) {
    JsonFields offload(value);
    OffloadStatus& status = tunnel.offloads.emplace_back(name, offload.MaybeString("reason"));
    const bool on = offload.MaybeBoolean("on").value_or(false);
    if (!offload.good() || on == status.off_because.has_value()) {
      return false;
    }
  }
  return fields.good();
}

bool ReadRendezvous(const nlohmann::json& object, RendezvousStatus& server) {
  JsonFields fields(object);
  server.url = fields.String("url");
  ReadWord(fields, "state", kServerWords, server.state);
  server.rtt_ms = fields.MaybeNumber("rtt_ms");
  return fields.good();
}

bool ReadMtuProbing(const nlohmann::json& object, MtuProbing& probing) {
  JsonFields fields(object);
  probing.state = fields.String("state");
  probing.probes = fields.Unsigned("probes");
  probing.black_holes = fields.Unsigned("black_holes");
  return fields.good();
}

bool ReadPath(const nlohmann::json& object, PathStatus& path) {
  JsonFields fields(object);
  ReadWord(fields, "kind", kPathWords, path.kind);
  ReadMaybe(fields, "local_type", ParseCandidateType, path.local_type);
  ReadMaybe(fields, "remote_type", ParseCandidateType, path.remote_type);
  ReadMaybe(fields, "local", ParseSocketAddress, path.local);
  ReadMaybe(fields, "remote", ParseSocketAddress, path.remote);
  ReadWord(fields, "transport", kTransportWords, path.transport);
  path.rtt_ms = fields.MaybeNumber("rtt_ms");
  path.loss = fields.MaybeNumber("loss");
  ReadMaybe(fields, "since", ParseRfc3339, path.since);
  path.mtu = static_cast<std::uint32_t>(fields.Unsigned("mtu", UINT32_MAX));
  if (const auto* probing = fields.MaybeObject("mtu_probing")) {
    if (!ReadMtuProbing(*probing, path.mtu_probing.emplace())) {
      return false;
    }
  }
  return fields.good();
}

bool ReadPeer(const nlohmann::json& object, PeerStatus& peer) {
  JsonFields fields(object);
  peer.name = fields.String("name");
  ReadKey(fields, peer.public_key);
  ReadWord(fields, "state", kPeerWords, peer.state);
  ReadMaybe(fields, "since", ParseRfc3339, peer.since);
  const nlohmann::json* path = fields.MaybeObject("path");
  if (path == nullptr || !ReadPath(*path, peer.path)) {
    return false;
  }
  for (const std::string& text : fields.MaybeStrings("allowed_ips")) {
    const auto prefix = ParseIpPrefix(text);
    prefix ? peer.allowed_ips.push_back(*prefix) : fields.SetBad();
  }
  peer.endpoint = fields.MaybeString("endpoint");
  peer.why_relayed = fields.MaybeString("why_relayed");
  ReadMaybe(fields, "latest_handshake", ParseRfc3339, peer.latest_handshake);
  peer.rx_bytes = fields.Unsigned("rx_bytes");
  peer.tx_bytes = fields.Unsigned("tx_bytes");
  if (const nlohmann::json* times = fields.MaybeObject("connect_ms")) {
    JsonFields connect(*times);
    peer.first_path_ms = connect.MaybeNumber("first_path");
    peer.direct_ms = connect.MaybeNumber("direct");
    return fields.good() && connect.good();
  }
  return fields.good();
}

}  // namespace

std::string_view ToString(StatusError error) {
  switch (error) {
    case StatusError::kNotJson:
      return "is not JSON";
    case StatusError::kBadSchema:
      return "is not of schema floe.status/1";
    case StatusError::kBadField:
      return "has a field that is missing or not what it should be";
  }
  return "unknown";
}

std::string_view ToString(NatKind kind) {
  return WordFor(kNatWords, kind);
}

std::string_view ToString(ServerState state) {
  return WordFor(kServerWords, state);
}

std::string_view ToString(PeerState state) {
  return WordFor(kPeerWords, state);
}

std::string_view ToString(PathKind kind) {
  return WordFor(kPathWords, kind);
}

std::string_view ToString(PathTransport transport) {
  return WordFor(kTransportWords, transport);
}

std::string_view CandidateWord(ice::CandidateType type) {
  return WordFor(kCandidateWords, type);
}

std::string ToJson(const Status& status) {
  Json rendezvous = Json::array();
  for (const RendezvousStatus& server : status.rendezvous) {
    rendezvous.push_back({{"url", server.url},
                          {"state", ToString(server.state)},
                          {"rtt_ms", Number(server.rtt_ms)}});
  }
  Json peers = Json::array();
  for (const PeerStatus& peer : status.peers) {
    peers.push_back(PeerJson(peer));
  }
  const Json whole = {{"schema", kStatusSchema},
                      {"node", NodeJson(status.node)},
                      {"tunnel", TunnelJson(status.tunnel)},
                      {"rendezvous", std::move(rendezvous)},
                      {"peers", std::move(peers)},
                      {"health", status.health}};
  return whole.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Result<Status, StatusError> ParseStatus(std::string_view json) {
  const auto root = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) {
    return Fail(StatusError::kNotJson);
  }
  JsonFields fields(root);
  if (fields.MaybeString("schema") != kStatusSchema) {
    return Fail(StatusError::kBadSchema);
  }
  Status status;
  const nlohmann::json* node = fields.MaybeObject("node");
  const nlohmann::json* tunnel = fields.MaybeObject("tunnel");
  const bool good = node != nullptr && ReadNode(*node, status.node) &&
                    (tunnel == nullptr || ReadTunnel(*tunnel, status.tunnel)) &&
                    ReadAll(fields, "rendezvous", ReadRendezvous, status.rendezvous) &&
                    ReadAll(fields, "peers", ReadPeer, status.peers);
  status.health = fields.MaybeStrings("health");
  if (!good || !fields.good()) {
    return Fail(StatusError::kBadField);
  }
  return status;
}

const PeerStatus* FindPeer(const Status& status, std::string_view peer) {
  const auto ip = ParseIpAddress(peer);
  const auto found = std::ranges::find_if(status.peers, [&](const PeerStatus& known) {
    return known.name == peer || ToString(known.public_key) == peer ||
           (ip && std::ranges::any_of(known.allowed_ips, [&](const IpPrefix& prefix) {
              return prefix.length == ip->bits() && prefix.Contains(*ip);
            }));
  });
  return found == status.peers.end() ? nullptr : &*found;
}

}  // namespace floe::control
