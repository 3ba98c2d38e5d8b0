// One address space: the internet, a LAN, or what a carrier has between itself and its customers.

#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/socket_address.h"

namespace floe::sim {

class Gateway;
struct Interface;

class Zone {
 public:
  /// Who has an address: a host's interface, a gateway, or neither.
  struct Target {
    Interface* interface = nullptr;
    Gateway* gateway = nullptr;
  };

  explicit Zone(std::string name) : name_(std::move(name)) {}

  /// Requires that nobody has `ip`. What `target` points to must outlive this or be detached.
  void Attach(const IpAddress& ip, const Target& target);
  void Detach(const IpAddress& ip);
  /// Routes a network to a gateway, which must outlive this.
  void AddRoute(const IpPrefix& prefix, Gateway& gateway);

  [[nodiscard]] Target Find(const IpAddress& ip) const;

  /// Where packets go that nobody in here has the address of; null for the internet.
  [[nodiscard]] Gateway* uplink() const { return uplink_; }

  void set_uplink(Gateway& gateway) { uplink_ = &gateway; }

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  Gateway* uplink_ = nullptr;
  std::unordered_map<IpAddress, Target, IpAddressHash> targets_;
  std::vector<std::pair<IpPrefix, Gateway*>> routes_;
};

}  // namespace floe::sim
