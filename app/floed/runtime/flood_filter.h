// While strangers flood us with initiations: has the kernel drop most of them, before they fill the
// queue of the socket and so push out the packets of sessions.
//
// Source: the kernel's Documentation/networking/filter.rst (classic BPF); the WireGuard paper
// section 5.4.2 for what an initiation looks like.

#pragma once

#include "base/result.h"

namespace floe::daemon {

/// Of the initiations without a cookie that come to a UDP socket, one in four is kept while this is
/// on; nothing else is touched. Who has a cookie is always heard, and who has none will be: each
/// attempt has its chance.
[[nodiscard]] Result<void> ShedInitiations(int fd, bool on);

}  // namespace floe::daemon
