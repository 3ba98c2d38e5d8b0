#include "tests/sim/zone.h"

#include "base/check.h"

namespace floe::sim {

void Zone::Attach(const IpAddress& ip, const Target& target) {
  FLOE_CHECK(targets_.emplace(ip, target).second);
}

void Zone::Detach(const IpAddress& ip) {
  targets_.erase(ip);
}

void Zone::AddRoute(const IpPrefix& prefix, Gateway& gateway) {
  routes_.emplace_back(prefix, &gateway);
}

Zone::Target Zone::Find(const IpAddress& ip) const {
  if (const auto found = targets_.find(ip); found != targets_.end()) {
    return found->second;
  }
  for (const auto& [prefix, gateway] : routes_) {
    if (prefix.Contains(ip)) {
      return {.gateway = gateway};
    }
  }
  return {};
}

}  // namespace floe::sim
