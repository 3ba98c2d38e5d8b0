#include "ice/portmap/mapper.h"

#include <algorithm>
#include <utility>

#include "ice/stun/hmac.h"

namespace floe::ice::portmap {

void Mapper::SetGateways(TimePoint now, const std::vector<Gateway>& gateways) {
  const std::size_t count = std::min(gateways.size(), kMaxGateways);
  const std::vector<Gateway> wanted(gateways.begin(),
                                    gateways.begin() + static_cast<std::ptrdiff_t>(count));
  for (auto& [gateway, client] : clients_) {
    if (std::ranges::find(wanted, gateway) == wanted.end()) {
      client.Close(now);
      Drain(gateway, client);
    }
  }
  std::erase_if(clients_, [&](const auto& entry) {
    return std::ranges::find(wanted, entry.first) == wanted.end();
  });
  for (const Gateway& gateway : wanted) {
    const auto [it, added] = clients_.try_emplace(gateway, now,
                                                  ClientConfig{.internal = gateway.internal,
                                                               .router = gateway.router,
                                                               .nonce = MakeNonce(gateway),
                                                               .pcp = config_.pcp,
                                                               .nat_pmp = config_.nat_pmp});
    if (added) {
      Drain(gateway, it->second);
    }
  }
}

Nonce Mapper::MakeNonce(const Gateway& gateway) const {
  std::array<std::uint8_t, 2> port{};
  StoreBe(port, 0, gateway.internal.port);
  const auto tag = stun::HmacSha256(
      config_.secret.bytes(),
      {AsBytes("floe PCP nonce"), gateway.internal.ip.octets(), port, gateway.router.octets()});
  Nonce nonce{};
  std::copy_n(tag.begin(), nonce.size(), nonce.begin());
  return nonce;
}

bool Mapper::HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                            Bytes datagram) {
  if (remote.port != kServerPort) {
    return false;
  }
  const auto found = clients_.find({local, remote.ip});
  if (found == clients_.end() || !found->second.HandleDatagram(now, datagram)) {
    return false;
  }
  Drain(found->first, found->second);
  return true;
}

void Mapper::HandleTimeout(TimePoint now) {
  for (auto& [gateway, client] : clients_) {
    client.HandleTimeout(now);
    Drain(gateway, client);
  }
}

void Mapper::CheckNow(TimePoint now) {
  for (auto& [gateway, client] : clients_) {
    client.CheckNow(now);
    Drain(gateway, client);
  }
}

void Mapper::Drain(const Gateway& gateway, Client& client) {
  while (auto bytes = client.PollTransmit()) {
    transmits_.push_back({gateway.internal, {gateway.router, kServerPort}, std::move(*bytes)});
  }
  while (const auto event = client.PollEvent()) {
    if (const auto* mapped = std::get_if<Mapped>(&*event)) {
      events_.emplace_back(MappingChanged{gateway.internal, mapped->external});
    } else if (std::holds_alternative<Unmapped>(*event)) {
      events_.emplace_back(MappingChanged{gateway.internal, std::nullopt});
    } else {
      events_.emplace_back(RouterSilent{gateway});
    }
  }
}

std::optional<Transmit> Mapper::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<MapperEvent> Mapper::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  MapperEvent event = events_.front();
  events_.pop_front();
  return event;
}

std::optional<TimePoint> Mapper::NextTimeout() const {
  std::optional<TimePoint> next;
  for (const auto& [gateway, client] : clients_) {
    if (const auto time = client.NextTimeout(); time && (!next || *time < *next)) {
      next = time;
    }
  }
  return next;
}

}  // namespace floe::ice::portmap
