#include "app/floed/engine/courier.h"

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
    : random_(random), urls_(std::move(urls)), key_(key), self_(self) {
  for (const signaling::Url& url : urls_) {
    servers_.push_back({.client = std::make_unique<signaling::Client>(
                            signaling::ClientConfig{.url = url}, key_, self_, random_)});
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

void Courier::Start(TimePoint now) {
  for (StreamId id = 0; id < servers_.size(); ++id) {
    servers_[id].client->Start(now);
    Drain(id);
  }
}

void Courier::Stop(TimePoint now) {
  for (StreamId id = 0; id < servers_.size(); ++id) {
    servers_[id].client->Stop(now);
    Drain(id);
  }
}

void Courier::HandleNetworkChange(TimePoint now) {
  for (StreamId id = 0; id < servers_.size(); ++id) {
    servers_[id].client->HandleNetworkChange(now);
    Drain(id);
  }
}

void Courier::HandleStreamOpened(TimePoint now, StreamId id) {
  servers_[id].client->HandleConnected(now);
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
  for (StreamId id = 0; id < servers_.size(); ++id) {
    signaling::Client& client = *servers_[id].client;
    if (client.NextTimeout() && *client.NextTimeout() <= now) {
      client.HandleTimeout(now);
      Drain(id);
    }
  }
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
  recipient.latest = {.number = next_number_++, .waiting = servers_.size()};
  for (StreamId id = 0; id < servers_.size(); ++id) {
    const std::uint64_t sent = servers_[id].client->Send(now, recipient.key, *box);
    servers_[id].pending[sent] = {.peer = peer, .number = recipient.latest.number};
  }
  for (StreamId id = 0; id < servers_.size(); ++id) {
    Drain(id);
  }
}

void Courier::Drain(StreamId id) {
  signaling::Client& client = *servers_[id].client;
  while (auto action = client.PollAction()) {
    if (std::holds_alternative<signaling::Connect>(*action)) {
      actions_.emplace_back(OpenStream{id, urls_[id]});
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
  Latest& latest = recipients_.at(pending.peer).latest;
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
    const auto time = server.client->NextTimeout();
    if (time && (!next || *time < *next)) {
      next = time;
    }
  }
  return next;
}

}  // namespace floe::engine
