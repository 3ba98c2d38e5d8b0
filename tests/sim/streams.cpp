#include "tests/sim/streams.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "tests/sim/host.h"

namespace floe::sim {
namespace {

constexpr std::size_t kClient = 0;
constexpr std::size_t kServer = 1;
constexpr int kMaxLosses = 8;  // of one segment in a row

}  // namespace

std::optional<Streams::Place> Streams::Find(const Host& host, StreamId id) const {
  // Newest first: a node may use a number again.
  for (std::size_t i = connections_.size(); i-- > 0;) {
    for (const std::size_t side : {kClient, kServer}) {
      const End& end = connections_[i]->ends.at(side);
      if (end.host == &host && end.id == id &&
          (end.state == State::kOpen || end.state == State::kConnecting)) {
        return Place{.connection = i, .side = side};
      }
    }
  }
  return std::nullopt;
}

std::size_t Streams::CountOpen() const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [](const auto& connection) {
    return std::ranges::any_of(connection->ends, [](const End& end) {
      return end.state == State::kOpen || end.state == State::kConnecting;
    });
  }));
}

void Streams::Apply(Host& host, Node::StreamAction action) {
  if (const auto* open = std::get_if<Node::OpenStream>(&action)) {
    Open(host, *open);
    return;
  }
  if (auto* write = std::get_if<Node::WriteStream>(&action)) {
    const auto place = Find(host, write->id);
    if (place && At(*place).state == State::kOpen) {
      Report(*place, write->bytes);
      Enqueue(*place, Kind::kData, std::move(write->bytes));
    }
    return;
  }
  if (const auto place = Find(host, std::get<Node::CloseStream>(action).id)) {
    Close(*place);
  }
}

void Streams::Open(Host& host, const Node::OpenStream& open) {
  SocketAddress local{.ip = {.family = open.remote.ip.family}, .port = next_port_++};
  Interface* interface = host.FindInterface(local.ip);
  auto route =
      interface == nullptr ? std::nullopt : FindRoute(network_, *interface, local, open.remote);
  connections_.push_back(std::make_unique<Connection>());
  const Place client{.connection = connections_.size() - 1, .side = kClient};
  End& end = At(client);
  end.host = &host;
  end.id = open.id;
  end.state = State::kConnecting;
  if (!route) {
    // The answer of a router or of the system itself: as if the server's, at once.
    const Place server{.connection = client.connection, .side = kServer};
    At(server).outgoing.push_back({.kind = Kind::kFin, .due = events_.now(), .sent = true});
    Arm(server);
    return;
  }
  connections_.back()->route = *std::move(route);
  At({client.connection, kServer}).host = connections_.back()->route.server->host;
  Enqueue(client, Kind::kSyn);
}

void Streams::Close(Place place) {
  End& end = At(place);
  end.state = State::kClosed;
  if (connections_[place.connection]->route.client != nullptr) {
    Enqueue(place, Kind::kFin);
  }
}

void Streams::CloseAll(Host& host) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    for (const std::size_t side : {kClient, kServer}) {
      const End& end = connections_[i]->ends.at(side);
      if (end.host == &host && (end.state == State::kOpen || end.state == State::kConnecting)) {
        Close({i, side});
      }
    }
  }
}

void Streams::Report(Place place, Bytes bytes) {
  const Route& route = connections_[place.connection]->route;
  const bool is_client = place.side == kClient;
  const auto report = [&](PacketEvent event, const SocketAddress& client) {
    network_.Report(event, Drop::kNone,
                    {.protocol = Protocol::kTcp,
                     .from = is_client ? client : route.remote,
                     .to = is_client ? route.remote : client},
                    bytes);
  };
  report(PacketEvent::kSent, is_client ? route.local : route.seen);
  if (route.is_public) {
    report(PacketEvent::kPublic, route.seen);
  }
}

void Streams::Enqueue(Place place, Kind kind, std::vector<std::uint8_t> bytes) {
  End& end = At(place);
  if (end.fin_sent) {
    return;
  }
  end.fin_sent = kind == Kind::kFin;
  Segment& segment = end.outgoing.emplace_back(Segment{.kind = kind, .bytes = std::move(bytes)});
  Launch(place, segment);
  Arm(place);
}

void Streams::Launch(Place place, Segment& segment) {
  Connection& connection = *connections_[place.connection];
  End& end = At(place);
  if (!connection.route.IsOpen(network_)) {
    end.blocked_since = end.blocked_since.value_or(events_.now());
    end.backoff = std::clamp(2 * end.backoff, options.retransmit, options.retransmit_limit);
    segment.sent = false;
    segment.due = events_.now() + end.backoff;
    return;
  }
  Duration delay{};
  double arrives = 1;  // the chance of one try
  for (const Route::Leg& leg : connection.route.legs) {
    const Wire& wire = place.side == kClient ? *leg.there : *leg.back;
    delay += wire.Latency(random_);
    arrives *= 1 - wire.settings.loss;
  }
  Duration wait = options.retransmit;
  for (int i = 0; i < kMaxLosses && Chance(random_, 1 - arrives); ++i) {
    delay += wait;
    wait = std::min(2 * wait, options.retransmit_limit);
  }
  segment.sent = true;
  segment.due = events_.now() + delay;
}

void Streams::Arm(Place place) {
  End& end = At(place);
  if (!end.armed && !end.outgoing.empty()) {
    end.armed = true;
    events_.Push(end.outgoing.front().due, *this, 2 * place.connection + place.side);
  }
}

void Streams::RetryBlocked(Place place) {
  End& end = At(place);
  if (end.blocked_since && events_.now() - *end.blocked_since >= options.dead_after) {
    Finish(place);
    return;
  }
  const Duration backoff = end.backoff;
  for (Segment& segment : end.outgoing) {
    if (!segment.sent) {
      end.backoff = backoff;  // One step for all of them.
      Launch(place, segment);
    }
  }
}

void Streams::HandleEvent(TimePoint now, std::uint64_t tag) {
  const Place place{.connection = static_cast<std::size_t>(tag / 2),
                    .side = static_cast<std::size_t>(tag % 2)};
  const Route& route = connections_[place.connection]->route;
  End& end = At(place);
  end.armed = false;
  while (!end.outgoing.empty() && end.outgoing.front().due <= now) {
    Segment& head = end.outgoing.front();
    if (head.sent && route.client != nullptr && !route.IsWhole()) {
      head.sent = false;  // It came to where the other end is no more.
    }
    if (!head.sent) {
      RetryBlocked(place);
      continue;
    }
    const Segment segment = std::move(head);
    end.outgoing.pop_front();
    end.blocked_since.reset();
    end.backoff = Duration::zero();
    Arrive(place, segment);
  }
  Arm(place);
}

void Streams::Arrive(Place place, const Segment& segment) {
  const Place other{.connection = place.connection, .side = 1 - place.side};
  const Route& route = connections_[place.connection]->route;
  End& end = At(other);
  switch (segment.kind) {
    case Kind::kSyn: {
      const Node* node = end.host->node();
      const bool accepts = node != nullptr && node->AcceptsStreams(route.remote);
      Enqueue(other, accepts ? Kind::kSynAck : Kind::kFin);
      return;
    }
    case Kind::kSynAck:
      if (end.state == State::kConnecting) {
        end.state = State::kOpen;
        Enqueue(other, Kind::kAck);  // Before anything the node may write.
        end.host->StreamOpened(end.id, route.remote);
      }
      return;
    case Kind::kAck:
      ArriveAtServer(place, other);
      return;
    case Kind::kData:
      if (end.state == State::kOpen) {
        end.host->StreamBytes(end.id, segment.bytes);
      } else {
        Enqueue(other, Kind::kFin);
      }
      return;
    case Kind::kFin:
      Finish(other);
      return;
  }
}

void Streams::ArriveAtServer(Place from, Place server) {
  End& end = At(server);
  if (end.state != State::kNone || end.host->node() == nullptr) {
    Enqueue(server, Kind::kFin);
    return;
  }
  end.state = State::kOpen;
  end.id = next_accepted_++;
  end.host->StreamOpened(end.id, connections_[from.connection]->route.seen);
}

void Streams::Finish(Place place) {
  End& end = At(place);
  const bool was_alive = end.state == State::kOpen || end.state == State::kConnecting;
  end.state = State::kClosed;
  end.outgoing.clear();
  end.blocked_since.reset();
  end.fin_sent = false;  // If it was not delivered, what still arrives is answered by another.
  if (was_alive && end.host->awake()) {
    end.host->StreamClosed(end.id);
  }
}

}  // namespace floe::sim
