// Whether this kernel does right what a UdpSocket lets it do for several datagrams at once.
//
// Source: udp(7), UDP_SEGMENT and UDP_GRO.

#pragma once

#include <string>

#include "base/uv/udp_socket.h"

namespace floe::uv {

struct UdpOffloadReport {
  UdpOffloads usable;
  // Why one of those that were wanted is not; empty where it is.
  std::string segment;
  std::string gro;
};

/// Sends datagrams together over the loopback interface and reads them back, once for each of what
/// is `wanted`. Takes microseconds, or a fifth of a second where they do not arrive. Where not even
/// single datagrams do, it says nothing of the kernel, and what is wanted stays.
[[nodiscard]] UdpOffloadReport CheckUdpOffloads(UdpOffloads wanted);

}  // namespace floe::uv
