#include "app/floed/runtime/inner_network.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "app/floed/runtime/interface_settings.h"
#include "tun/linux_device.h"
#include "tun/netlink.h"
#include "tunnel/packet/offload_header.h"
#include "tunnel/packet/segmenter.h"

namespace floe::daemon {
namespace {

// Short, for a packet may be 64 KiB: what waits in the kernel makes everybody else wait.
constexpr std::uint32_t kQueueLength = 128;  // packets
constexpr int kMaxPackets = 64;              // Before other work has its turn.

Result<void> Configure(tun::Netlink& netlink, const tun::LinuxDevice& device,
                       const config::Config& config) {
  if (auto up = netlink.SetUp(device.index(), config.tun.mtu, kQueueLength); !up) {
    return up;
  }
  return AddSettings(netlink, device.index(), config);
}

}  // namespace

Result<std::unique_ptr<InnerNetwork>> InnerNetwork::Open(uv::Loop& loop,
                                                         const config::Config& config,
                                                         Handlers handlers) {
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
  auto network =
      std::make_unique<InnerNetwork>(std::move(*device), offload.coalesce, std::move(handlers));
  auto poll =
      uv::Poll::Make(loop, network->device_->poll_fd(), [self = network.get()] { self->Read(); });
  if (!poll) {
    return Fail(std::move(poll.error()));
  }
  network->poll_ = std::move(*poll);
  network->poll_->Watch(uv::Interest::kReadable);
  return network;
}

InnerNetwork::InnerNetwork(std::unique_ptr<tun::Device> device, bool coalesce, Handlers handlers)
    : device_(std::move(device)),
      handlers_(std::move(handlers)),
      buffer_(tun::Device::kMaxRead),
      writer_(*device_,
              {.tcp = coalesce && device_->takes().tcp, .udp = coalesce && device_->takes().udp}),
      coalescer_(writer_.joinable()) {}

void InnerNetwork::Read() {
  for (int i = 0; i < kMaxPackets; ++i) {
    const auto size = device_->Read(buffer_);
    if (!size) {
      poll_->Watch(uv::Interest::kNone);
      handlers_.on_failure(size.error());
      return;
    }
    if (!*size) {
      break;
    }
    HandleRead(MutableBytes(buffer_).first(**size));
    handlers_.on_batch();
  }
}

void InnerNetwork::HandleRead(MutableBytes bytes) {
  static_assert(tunnel::kOffloadHeaderSize == tun::Device::kHeaderSize);
  const auto header =
      bytes.size() > tun::Device::kHeaderSize ? tunnel::OffloadHeader::Parse(bytes) : std::nullopt;
  auto segmenter = header
                       ? tunnel::Segmenter::Make(*header, bytes.subspan(tun::Device::kHeaderSize))
                       : std::nullopt;
  if (!segmenter) {
    ++malformed_;
    return;
  }
  while (const auto packet = segmenter->Next()) {
    handlers_.on_packet(*packet);
  }
}

void InnerNetwork::Write(std::vector<std::uint8_t> packet) {
  if (coalescer_.full()) {
    Flush();
  }
  waiting_.push_back(std::move(packet));
  coalescer_.Add(waiting_.back());
}

void InnerNetwork::Flush() {
  for (const tunnel::Coalescer::Group& group : coalescer_.Finish()) {
    if (const auto written = writer_.Write(group); !written) {
      poll_->Watch(uv::Interest::kNone);
      handlers_.on_failure(written.error());
      break;
    }
  }
  coalescer_.Clear();
  coalescer_.SetJoinable(writer_.joinable());
  waiting_.clear();
}

}  // namespace floe::daemon
