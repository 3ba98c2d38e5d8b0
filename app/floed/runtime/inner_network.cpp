#include "app/floed/runtime/inner_network.h"

#include <algorithm>
#include <string>
#include <utility>

#include "app/floed/runtime/interface_settings.h"
#include "tun/linux_device.h"
#include "tun/netlink.h"

namespace floe::daemon {
namespace {

// Holds a burst until it is read, which is soon: large packets wait elsewhere (ReadQueue).
constexpr std::uint32_t kQueueLength = 500;  // packets

Result<void> Configure(tun::Netlink& netlink, const tun::LinuxDevice& device,
                       const config::Config& config) {
  if (auto up = netlink.SetUp(device.index(), config.tun.mtu, kQueueLength); !up) {
    return up;
  }
  return AddSettings(netlink, device.index(), config);
}

}  // namespace

Result<std::unique_ptr<InnerNetwork>> InnerNetwork::Open(const config::Config& config) {
  auto netlink = tun::Netlink::Open();
  if (!netlink) {
    return Fail(std::move(netlink.error()));
  }
  if (auto checked = CheckRoutes(*netlink, config); !checked) {
    return Fail(std::move(checked.error()));
  }
  const config::OffloadConfig& offload = config.tun.offload;
  auto device = tun::LinuxDevice::Open(config.tun.name, config.tun.mtu,
                                       {.tcp = offload.tso, .udp = offload.uso});
  if (!device) {
    return Fail(std::move(device.error()));
  }
  if (auto configured = Configure(*netlink, **device, config); !configured) {
    return Fail(std::move(configured.error()));
  }
  return std::make_unique<InnerNetwork>(std::move(*device), offload.coalesce);
}

InnerNetwork::InnerNetwork(std::unique_ptr<tun::Device> device, bool coalesce)
    : device_(std::move(device)),
      writer_(*device_,
              {.tcp = coalesce && device_->takes().tcp, .udp = coalesce && device_->takes().udp}),
      coalescer_(writer_.joinable()) {}

void InnerNetwork::Write(std::vector<std::uint8_t> packet) {
  if (coalescer_.full()) {
    static_cast<void>(Flush());  // What fails for good fails the next time, too.
  }
  waiting_.push_back(std::move(packet));
  coalescer_.Add(waiting_.back());
}

Result<void> InnerNetwork::Flush() {
  Result<void> result;
  for (const tunnel::Coalescer::Group& group : coalescer_.Finish()) {
    if (result) {
      result = writer_.Write(group);
    }
  }
  coalescer_.Clear();
  coalescer_.SetJoinable(writer_.joinable());
  waiting_.clear();
  return result;
}

}  // namespace floe::daemon
