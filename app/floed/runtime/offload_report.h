// Which offloads are in use, and why not the others, in the words of `floe status`.

#pragma once

#include <vector>

#include "app/config/config.h"
#include "app/control/status.h"
#include "base/uv/udp_offload_check.h"
#include "tun/device.h"
#include "tunnel/packet/coalescer.h"

namespace floe::daemon {

/// What the parts of the runtime found at the start, and what they use now.
struct OffloadFacts {
  config::OffloadConfig wanted;
  tun::Offloads device;
  tunnel::Joinable joinable;
  uv::UdpOffloadReport udp_check;
  uv::UdpOffloads udp;
};

[[nodiscard]] std::vector<control::OffloadStatus> ReportOffloads(const OffloadFacts& facts);

}  // namespace floe::daemon
