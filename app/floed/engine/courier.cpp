#include "app/floed/engine/courier.h"

#include <algorithm>

#include "base/log.h"

namespace floe::engine {
namespace {

Delivery ToDelivery(signaling::Answered::Result result) {
  using Result = signaling::Answered::Result;
  switch (result) {
    case Result::kDelivered:
      return Delivery::kDelivered;
    case Result::kOffline:
      return Delivery::kOffline;
    case Result::kLimited:
    case Result::kTooLarge:
      return Delivery::kLimited;
    case Result::kNotConnected:
      return Delivery::kNotConnected;
  }
  return Delivery::kNotConnected;
}

}  // namespace

Courier::Courier(const PrivateKey& key, const PublicKey& self, std::vector<signaling::Url> urls,
                 RandomSource& random)
    : random_(random), key_(key), self_(self) {
  for (const signaling::Url& url : urls) {
    AddServer(url);
  }
}

bool Courier::AddPeer(PeerId id, const PublicKey& key) {
  auto box = signaling::PeerBox::Make(key_, self_, key);
  if (!box) {
    return false;
  }
  recipients_.emplace(id, Recipient{.key = key, .box = std::move(*box)});
  by_key_.emplace(key, id);
  return true;
}

void Courier::RemovePeer(PeerId id) {
  if (const auto found = recipients_.find(id); found != recipients_.end()) {
    by_key_.erase(found->second.key);
    recipients_.erase(found);
  }
}

StreamId Courier::AddServer(const signaling::Url& url) {
  servers_.push_back({.url = url,
                      .client = std::make_unique<signaling::Client>(
                          signaling::ClientConfig{.url = url}, key_, self_, random_)});
  return static_cast<StreamId>(servers_.size() - 1);
}

void Courier::RemoveServer(TimePoint now, StreamId id) {
  servers_[id].client->Stop(now);  // What it has not answered, it answers.
  Drain(id);
  servers_[id] = {};
}

template <typename Visit>
void Courier::ForEachServer(Visit visit) {
  for (StreamId id = 0; id < servers_.size(); ++id) {
    if (servers_[id].client) {
      visit(id, *servers_[id].client);
      Drain(id);
    }
  }
}

void Courier::Start(TimePoint now) {
  ForEachServer([now](StreamId, signaling::Client& client) { client.Start(now); });
}

void Courier::Stop(TimePoint now) {
  ForEachServer([now](StreamId, signaling::Client& client) { client.Stop(now); });
}

void Courier::HandleNetworkChange(TimePoint now) {
  ForEachServer([now](StreamId, signaling::Client& client) { client.HandleNetworkChange(now); });
}

void Courier::HandleStreamOpened(TimePoint now, StreamId id,
                                 const std::optional<signaling::ChannelBinding>& binding) {
  servers_[id].client->HandleConnected(now, binding);
  Drain(id);
}

void Courier::HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes) {
  servers_[id].client->HandleBytes(now, bytes);
  Drain(id);
}

void Courier::HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason) {
  servers_[id].client->HandleClosed(now, reason);
  Drain(id);
}

void Courier::HandleTimeout(TimePoint now) {
  ForEachServer([now](StreamId, signaling::Client& client) {
    if (client.NextTimeout() && *client.NextTimeout() <= now) {
      client.HandleTimeout(now);
    }
  });
}

void Courier::Send(TimePoint now, PeerId peer, const signaling::Message& message) {
  const auto found = recipients_.find(peer);
  if (found == recipients_.end()) {
    return;
  }
  Recipient& recipient = found->second;
  const auto box = recipient.box.Seal(message, random_);
  if (!box) {
    log::Warn("a message to a peer was not sent: {}", ToString(box.error()));
    return;
  }
  // Counted before any of them answers.
  const auto there = std::ranges::count_if(
      servers_, [](const Server& server) { return server.client != nullptr; });
  recipient.latest = {.number = next_number_++, .waiting = static_cast<std::size_t>(there)};
  for (Server& server : servers_) {
    if (server.client) {
      const std::uint64_t sent = server.client->Send(now, recipient.key, *box);
      server.pending[sent] = {.peer = peer, .number = recipient.latest.number};
    }
  }
  ForEachServer([](StreamId, signaling::Client&) {});
}

void Courier::Drain(StreamId id) {
  signaling::Client& client = *servers_[id].client;
  while (auto action = client.PollAction()) {
    if (std::holds_alternative<signaling::Connect>(*action)) {
      actions_.emplace_back(OpenStream{id, servers_[id].url});
    } else if (auto* write = std::get_if<signaling::Write>(&*action)) {
      actions_.emplace_back(WriteStream{id, std::move(write->bytes)});
    } else {
      actions_.emplace_back(CloseStream{id});
    }
  }
  while (auto event = client.PollEvent()) {
    HandleEvent(id, std::move(*event));
  }
}

void Courier::HandleEvent(StreamId id, signaling::ClientEvent event) {
  if (auto* logged_in = std::get_if<signaling::LoggedIn>(&event)) {
    events_.emplace_back(LoggedIn{id, std::move(logged_in->welcome)});
  } else if (auto* renewed = std::get_if<signaling::Renewed>(&event)) {
    events_.emplace_back(Renewed{id, std::move(renewed->welcome)});
  } else if (auto* logged_out = std::get_if<signaling::LoggedOut>(&event)) {
    events_.emplace_back(LoggedOut{id, std::move(logged_out->reason)});
  } else if (const auto* received = std::get_if<signaling::Received>(&event)) {
    HandleReceived(*received);
  } else if (const auto* answered = std::get_if<signaling::Answered>(&event)) {
    HandleAnswered(id, *answered);
  }
}

void Courier::HandleReceived(const signaling::Received& received) {
  const auto peer = by_key_.find(received.from);
  if (peer == by_key_.end()) {
    ++bad_boxes_;
    return;
  }
  auto message = recipients_.at(peer->second).box.Open(received.box);
  if (!message) {
    ++bad_boxes_;
    log::Debug("message refused: {}", ToString(message.error()));
    return;
  }
  events_.emplace_back(MessageReceived{peer->second, std::move(*message)});
}

void Courier::HandleAnswered(StreamId id, const signaling::Answered& answered) {
  Server& server = servers_[id];
  const auto found = server.pending.find(answered.id);
  if (found == server.pending.end()) {
    return;
  }
  const Pending pending = found->second;
  server.pending.erase(found);
  const Delivery delivery = ToDelivery(answered.result);
  const auto recipient = recipients_.find(pending.peer);
  if (recipient == recipients_.end()) {
    return;  // Removed since.
  }
  Latest& latest = recipient->second.latest;
  if (pending.number != latest.number) {
    return;  // Overtaken.
  }
  --latest.waiting;
  latest.delivered = latest.delivered || delivery == Delivery::kDelivered;
  if (latest.delivered) {
    events_.emplace_back(MessageAnswered{pending.peer, Delivery::kDelivered});
  } else if (latest.waiting == 0) {  // Else another rendezvous may still reach it.
    events_.emplace_back(MessageAnswered{pending.peer, delivery});
  }
}

std::optional<StreamAction> Courier::PollAction() {
  if (actions_.empty()) {
    return std::nullopt;
  }
  StreamAction action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

std::optional<CourierEvent> Courier::PollEvent() {
  if (events_.empty()) {
    return std::nullopt;
  }
  CourierEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<TimePoint> Courier::NextTimeout() const {
  std::optional<TimePoint> next;
  for (const Server& server : servers_) {
    const auto time = server.client ? server.client->NextTimeout() : std::nullopt;
    if (time && (!next || *time < *next)) {
      next = time;
    }
  }
  return next;
}

}  // namespace floe::engine
