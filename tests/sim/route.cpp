#include "tests/sim/route.h"

#include <algorithm>

#include "tests/sim/host.h"

namespace floe::sim {
namespace {

constexpr int kMaxHops = 8;

/// Adds a gateway to the route if it lets the stream through.
bool Pass(Route& route, Gateway& gateway, Direction direction, Flow& flow) {
  if (!gateway.PassesStream(direction, flow)) {
    return false;
  }
  const bool is_up = direction == Direction::kUp;
  Link& link = gateway.link;
  route.legs.push_back({.link = &link,
                        .there = is_up ? &link.up : &link.down,
                        .back = is_up ? &link.down : &link.up});
  route.gateways.emplace_back(&gateway, gateway.epoch());
  return true;
}

}  // namespace

bool Route::IsWhole() const {
  return client->Has(local.ip) && server->Has(remote.ip) && !client->host->suspended() &&
         !server->host->suspended() && std::ranges::all_of(gateways, [](const auto& passed) {
           return passed.first->epoch() == passed.second;
         });
}

bool Route::IsOpen(const Network& network) const {
  const Flow flow{.protocol = Protocol::kTcp, .from = seen, .to = remote};
  if (!IsWhole() || (is_public && network.Blocks(flow))) {
    return false;
  }
  return std::ranges::all_of(legs, [&](const Leg& leg) {
    return leg.there->settings.up && leg.back->settings.up && !leg.link->Blocks(flow);
  });
}

std::optional<Route> FindRoute(Network& network, Interface& from, const SocketAddress& local,
                               const SocketAddress& remote) {
  Route route;
  route.client = &from;
  route.local = local;
  route.remote = remote;
  route.legs.push_back({.link = &from.link, .there = &from.link.up, .back = &from.link.down});
  Flow flow{.protocol = Protocol::kTcp, .from = local, .to = remote};
  Zone* zone = from.zone;
  for (int hop = 0; hop < kMaxHops; ++hop) {
    route.is_public = route.is_public || zone == &network.internet();
    const Zone::Target target = zone->Find(remote.ip);
    if (target.interface != nullptr) {
      Link& link = target.interface->link;
      route.legs.push_back({.link = &link, .there = &link.down, .back = &link.up});
      route.server = target.interface;
      route.seen = flow.from;
      return route;
    }
    const bool is_down = target.gateway != nullptr;
    Gateway* gateway = is_down ? target.gateway : zone->uplink();
    if (gateway == nullptr || (!is_down && gateway->IsHairpin(flow)) ||
        !Pass(route, *gateway, is_down ? Direction::kDown : Direction::kUp, flow)) {
      return std::nullopt;
    }
    zone = is_down ? &gateway->inner() : &gateway->outer();
  }
  return std::nullopt;
}

}  // namespace floe::sim
