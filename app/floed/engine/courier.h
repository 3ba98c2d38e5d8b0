// Carries messages between this node and its peers, through every rendezvous there is.
//
// Owns the rendezvous clients and the boxes. Says to its owner what came, and what became of what
// was sent; which session a message belongs to is Link's affair.

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/key.h"
#include "base/random.h"
#include "base/time.h"
#include "signaling/client.h"
#include "signaling/envelope.h"
#include "signaling/message.h"
#include "signaling/url.h"
#include "tunnel/types.h"

namespace floe::engine {

using tunnel::PeerId;
using StreamId = std::uint32_t;  // Index of a rendezvous in the configuration.

/// What became of a message.
enum class Delivery : std::uint8_t {
  kDelivered,     // At least one rendezvous wrote it to the peer.
  kOffline,       // The peer is at none of them.
  kLimited,       // Too many in too short a time.
  kNotConnected,  // No rendezvous could take it.
};

// What the owner is asked to do with the byte stream to a rendezvous.

struct OpenStream {
  StreamId id;
  signaling::Url url;
};

struct WriteStream {
  StreamId id;
  std::vector<std::uint8_t> bytes;
};

struct CloseStream {
  StreamId id;
};

using StreamAction = std::variant<OpenStream, WriteStream, CloseStream>;

// What the owner is told.

struct MessageReceived {
  PeerId peer;
  signaling::Message message;
};

/// Of the latest message to the peer; answers to those before it are not told.
struct MessageAnswered {
  PeerId peer;
  Delivery delivery;
};

struct LoggedIn {
  StreamId id;
  signaling::Welcome welcome;
};

/// The servers of `welcome` replace those before; nothing else has changed.
struct Renewed {
  StreamId id;
  signaling::Welcome welcome;
};

struct LoggedOut {
  StreamId id;
  std::string reason;
};

using CourierEvent = std::variant<MessageReceived, MessageAnswered, LoggedIn, Renewed, LoggedOut>;

class Courier {
 public:
  /// `key` and `random` must outlive it. `self` belongs to `key`.
  Courier(const PrivateKey& key, const PublicKey& self, std::vector<signaling::Url> urls,
          RandomSource& random);

  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  /// False if nothing can be sealed for this key.
  bool AddPeer(PeerId id, const PublicKey& key);
  void RemovePeer(PeerId id);

  /// Connects once started. Ids count up and are never given twice.
  StreamId AddServer(const signaling::Url& url);
  /// Its id means nothing to anybody from here on.
  void RemoveServer(TimePoint now, StreamId id);

  // Inputs.

  /// Again after AddServer(): those that run go on.
  void Start(TimePoint now);
  void Stop(TimePoint now);
  void HandleNetworkChange(TimePoint now);
  /// `binding` is that of the TLS of wss://.
  void HandleStreamOpened(TimePoint now, StreamId id,
                          const std::optional<signaling::ChannelBinding>& binding = {});
  void HandleStreamBytes(TimePoint now, StreamId id, Bytes bytes);
  void HandleStreamClosed(TimePoint now, StreamId id, std::string_view reason);
  void HandleTimeout(TimePoint now);

  /// To every rendezvous: the peer may be at any of them, and knows what it has seen already.
  void Send(TimePoint now, PeerId peer, const signaling::Message& message);

  // Outputs.

  [[nodiscard]] std::optional<StreamAction> PollAction();
  [[nodiscard]] std::optional<CourierEvent> PollEvent();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  [[nodiscard]] const signaling::Client& client(StreamId id) const { return *servers_[id].client; }

  /// Boxes that did not open, or came from strangers.
  [[nodiscard]] std::uint64_t bad_boxes() const { return bad_boxes_; }

 private:
  /// Our latest message to a peer, and how many servers have not said what became of it.
  struct Latest {
    std::uint64_t number = 0;
    std::size_t waiting = 0;
    bool delivered = false;
  };

  struct Recipient {
    PublicKey key;
    signaling::PeerBox box;
    Latest latest;
  };

  struct Pending {
    PeerId peer = 0;
    std::uint64_t number = 0;  // Of Latest.
  };

  struct Server {
    signaling::Url url;
    std::unique_ptr<signaling::Client> client;           // Null: removed.
    std::unordered_map<std::uint64_t, Pending> pending;  // By the client's id of the message.
  };

  void Drain(StreamId id);
  /// Calls `visit` with the id and the client of each server, and drains it.
  template <typename Visit>
  void ForEachServer(Visit visit);
  void HandleEvent(StreamId id, signaling::ClientEvent event);
  void HandleReceived(const signaling::Received& received);
  void HandleAnswered(StreamId id, const signaling::Answered& answered);

  RandomSource& random_;
  std::vector<Server> servers_;  // By StreamId.
  std::unordered_map<PeerId, Recipient> recipients_;
  std::unordered_map<PublicKey, PeerId, PublicKeyHash> by_key_;
  const PrivateKey& key_;
  PublicKey self_;
  std::uint64_t next_number_ = 1;
  std::uint64_t bad_boxes_ = 0;
  std::deque<StreamAction> actions_;
  std::deque<CourierEvent> events_;
};

}  // namespace floe::engine
