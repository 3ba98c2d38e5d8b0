#include "ice/port_prediction.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdlib>

#include "base/bytes.h"
#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"

namespace floe::ice {
namespace {

using stun::AttributeType;

constexpr std::uint32_t kFirstPort = 1024;  // NATs give none below, RFC 4787 section 4.2.2.
constexpr std::uint32_t kPorts = 65536;
constexpr std::uint32_t kNear = 20;

/// Ports to try: those next to `seen`, nearest first, then any.
std::vector<std::uint16_t> OrderPorts(const std::vector<SocketAddress>& seen,
                                      RandomSource& random) {
  std::vector<std::uint16_t> ports;
  std::bitset<kPorts> taken;
  const auto take = [&](std::uint32_t port) {
    if (port >= kFirstPort && port < kPorts && !taken.test(port) &&
        ports.size() < PortPrediction::kMaxPorts) {
      taken.set(port);
      ports.push_back(static_cast<std::uint16_t>(port));
    }
  };
  for (std::uint32_t distance = 1; distance <= kNear; ++distance) {
    for (const SocketAddress& address : seen) {
      take(address.port + distance);
      take(address.port - distance);  // Below zero it wraps round to no port at all.
    }
  }
  while (ports.size() < PortPrediction::kMaxPorts) {
    std::array<std::uint8_t, 2> bytes{};
    random.Fill(bytes);
    take(LoadBe<std::uint16_t>(bytes, 0));
  }
  return ports;
}

}  // namespace

PortPrediction::PortPrediction(TimePoint now, PortPredictionConfig config, std::deque<Probe> probes,
                               RandomSource& random)
    : config_(std::move(config)), random_(&random), probes_(std::move(probes)), wake_(now) {}

PortPrediction PortPrediction::Open(TimePoint now, PortPredictionConfig config,
                                    const std::vector<SocketAddress>& sockets,
                                    const SocketAddress& target,
                                    const std::optional<SocketAddress>& server,
                                    RandomSource& random) {
  std::deque<Probe> probes;
  for (const SocketAddress& socket : sockets) {
    if (probes.size() < kMaxSockets) {
      probes.push_back({.kind = Kind::kCheck, .local = socket, .remote = target});
    }
  }
  if (server) {
    probes.push_front({.kind = Kind::kQuestion, .local = probes.front().local, .remote = *server});
    probes.push_back({.kind = Kind::kQuestion, .local = probes.back().local, .remote = *server});
  }
  return {now, std::move(config), std::move(probes), random};
}

PortPrediction PortPrediction::Search(TimePoint now, PortPredictionConfig config,
                                      const SocketAddress& base,
                                      const std::vector<SocketAddress>& seen,
                                      RandomSource& random) {
  const std::vector<SocketAddress> first(
      seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(std::min(seen.size(), kMaxSeen)));
  std::deque<Probe> probes;
  for (const std::uint16_t port : OrderPorts(first, random)) {
    probes.push_back({.kind = Kind::kCheck, .local = base, .remote = {seen.front().ip, port}});
  }
  return {now, std::move(config), std::move(probes), random};
}

bool PortPrediction::HandleResponse(const SocketAddress& local, const SocketAddress& remote,
                                    const stun::MessageView& message) {
  const auto found = std::ranges::find_if(questions_, [&](const auto& question) {
    return question.first == message.transaction_id() && question.second.local == local &&
           question.second.remote == remote;
  });
  if (found == questions_.end() || message.message_class() != stun::Class::kSuccess) {
    return false;
  }
  questions_.erase(found);
  if (const auto mapped = stun::FindMappedAddress(message); mapped && IsUsableRemote(*mapped)) {
    seen_.push_back(mapped->Unmapped());
  }
  return true;
}

void PortPrediction::HandleTimeout(TimePoint now) {
  if (!wake_ || now < *wake_) {
    return;
  }
  const Probe probe = probes_.front();
  probes_.pop_front();
  transmits_.push_back({probe.local, probe.remote, MakeMessage(probe)});
  ++sent_;
  wake_.reset();
  if (!probes_.empty()) {
    wake_ = now + kInterval;
  }
}

std::vector<std::uint8_t> PortPrediction::MakeMessage(const Probe& probe) {
  const stun::TransactionId id = stun::NewTransactionId(*random_);
  stun::Builder builder(stun::Class::kRequest, stun::Method::kBinding, id);
  if (probe.kind == Kind::kQuestion) {
    questions_.emplace_back(id, probe);
    builder.AddFingerprint();
    return builder.Take();
  }
  builder.AddText(AttributeType::kUsername, config_.remote.ufrag + ':' + config_.local.ufrag)
      .AddU32(AttributeType::kPriority, ComputePriority(CandidateType::kPeerReflexive, 0))
      .AddU64(config_.role == Role::kControlling ? AttributeType::kIceControlling
                                                 : AttributeType::kIceControlled,
              config_.tie_breaker)
      .AddIntegrity(AsBytes(config_.remote.password))
      .AddFingerprint();
  return builder.Take();
}

std::optional<Transmit> PortPrediction::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

}  // namespace floe::ice
