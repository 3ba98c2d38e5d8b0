// Everything a tunnel has to say, until its owner asks for it.

#pragma once

#include <deque>

#include "tunnel/types.h"

namespace floe::tunnel {

struct Outbox {
  std::deque<Datagram> datagrams;
  std::deque<Reply> replies;
  std::deque<InnerPacket> packets;
  std::deque<Event> events;
};

}  // namespace floe::tunnel
