// The way to one peer: who offers, which ICE session is current, and where the data goes.
//
// Joins signaling (what is said through the rendezvous) with ICE (what is tried on the network).
// Without I/O, like everything it is made of.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/floed/engine/courier.h"
#include "app/floed/engine/predictor.h"
#include "base/fifo.h"
#include "base/key.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "ice/agent.h"
#include "ice/candidate.h"
#include "ice/gatherer.h"
#include "ice/mdns/named_candidates.h"
#include "ice/pacer.h"
#include "ice/path_mtu.h"
#include "signaling/message.h"
#include "signaling/negotiation.h"

namespace floe::engine {

/// Which candidates may be used at all.
enum class PathPolicy : std::uint8_t { kAll, kDirectOnly, kRelayOnly };

/// Tells milliseconds since 1970 from the monotonic clock, so that the numbers never go back.
struct UnixClock {
  TimePoint start;
  std::chrono::nanoseconds unix_start{0};

  [[nodiscard]] std::uint64_t Milliseconds(TimePoint now) const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(unix_start + (now - start)).count());
  }
};

struct LinkConfig {
  std::string name;
  PublicKey key;
  std::vector<IpPrefix> allowed_ips;
  PathPolicy policy = PathPolicy::kAll;
  bool port_prediction = false;
  std::uint16_t mtu = 1408;  // Of the TUN device, in bytes: a path is not tried for more.
};

/// Times since the link was last wanted or lost; for `status`.
struct LinkTimes {
  std::optional<TimePoint> started;
  std::optional<TimePoint> first_path;
  std::optional<TimePoint> direct;
  std::optional<TimePoint> path_since;
};

class Link {
 public:
  /// `gatherer`, `pacer` and `random` must outlive the link.
  Link(LinkConfig config, const PublicKey& self, const UnixClock& clock,
       const ice::Gatherer& gatherer, ice::Pacer& pacer, RandomSource& random);

  // Inputs.

  void Describe(std::string name, std::vector<IpPrefix> allowed_ips);
  /// Up: looks for a path, and again when there is none. Down: forgets everything.
  void SetWanted(TimePoint now, bool wanted);
  /// A rendezvous has taken us in, so what could not be said can be said.
  void HandleRendezvousUp(TimePoint now);
  void HandleMessage(TimePoint now, const signaling::Message& message);
  /// What became of our latest message to the peer.
  void HandleDelivery(TimePoint now, Delivery delivery);

  void HandleLocalCandidate(TimePoint now, const ice::Candidate& candidate);
  void HandleLocalCandidateGone(TimePoint now, const ice::Candidate& candidate);
  void HandleNetworkChange(TimePoint now);
  void HandleUnreachable(TimePoint now, const SocketAddress& local, const SocketAddress& remote);
  /// The path takes datagrams of so many bytes, it is said.
  void HandleTooBig(TimePoint now, std::size_t fits);
  bool HandleStun(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                  const ice::stun::MessageView& message);
  /// What became of a name, whoever asked for it.
  void HandleName(TimePoint now, const ice::mdns::Resolution& resolution);
  /// Sockets that PollSocketWish() has asked for, and what comes to them; false if that is nothing
  /// of port prediction's (link_prediction.cpp).
  void SetProbeSockets(TimePoint now, std::vector<SocketAddress> sockets);
  bool HandleProbe(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                   const ice::stun::MessageView& message);
  void HandleTimeout(TimePoint now);
  void NoteDataSent(TimePoint now);
  void NoteDataReceived(TimePoint now, const SocketAddress& local, const SocketAddress& remote);

  // Outputs.

  [[nodiscard]] std::optional<signaling::Message> PollMessage();
  [[nodiscard]] std::optional<ice::Transmit> PollTransmit();
  /// A name of the local network whose address HandleName() is to tell.
  [[nodiscard]] std::optional<std::string> PollName();

  [[nodiscard]] std::optional<SocketWish> PollSocketWish() {
    return predictor_ ? predictor_->PollSocketWish() : std::nullopt;
  }

  /// True once after each change of path().
  [[nodiscard]] bool PollPathChanged();
  [[nodiscard]] std::optional<TimePoint> NextTimeout() const;

  /// The ufrags and transaction tags by which datagrams for this link are known. They change with
  /// agents_version().
  [[nodiscard]] std::vector<std::string> ufrags() const;
  [[nodiscard]] std::vector<std::uint32_t> tags() const;

  [[nodiscard]] std::uint64_t agents_version() const { return agents_version_; }

  [[nodiscard]] const LinkConfig& config() const { return config_; }

  [[nodiscard]] bool wanted() const { return wanted_; }

  [[nodiscard]] bool peer_offline() const { return peer_offline_; }

  [[nodiscard]] const std::optional<ice::Path>& path() const { return path_; }

  /// While there is no path: where the peer's latest check came from. For a handshake alone.
  [[nodiscard]] std::optional<ice::Path> way_back() const;
  /// The pair behind path(), or null.
  [[nodiscard]] const ice::Pair* selected() const;

  /// The session that looks for a path or has one, or null.
  [[nodiscard]] const ice::Agent* agent() const { return current_.get(); }

  /// The largest inner packet that the path carries, as far as is known, in bytes.
  [[nodiscard]] std::uint16_t room() const;

  [[nodiscard]] const ice::PathMtu& path_mtu() const { return path_mtu_; }

  [[nodiscard]] const LinkTimes& times() const { return times_; }

  /// Null where the configuration does not allow it.
  [[nodiscard]] const Predictor* predictor() const { return predictor_.get(); }

  /// True for a while after the path was lost: what else it has taken with it is worth a look.
  [[nodiscard]] bool is_lost(TimePoint now) const;

  /// True while the path in use has not answered several times in a row.
  [[nodiscard]] bool is_doubtful() const;

  /// True while the path in use does not answer and there is no other.
  [[nodiscard]] bool is_suspect() const;

 private:
  void Offer(TimePoint now);
  void Answer(TimePoint now, const signaling::Message& offer);
  void StartAgent(TimePoint now, ice::Role role);
  void TakeRemote(TimePoint now, const signaling::Message& message);
  void AddRemoteCandidates(TimePoint now, ice::Agent& agent, const std::vector<std::string>& lines);
  void AddRemoteCandidate(TimePoint now, ice::Agent& agent, const ice::Candidate& candidate);
  void KeepEarly(TimePoint now, const signaling::Message& message);
  [[nodiscard]] signaling::Message MakeMessage(signaling::MessageKind kind);
  void AddOurDescription(signaling::Message& message) const;
  void AddCandidates(signaling::Message& message) const;
  [[nodiscard]] bool MayAnswerFrom(const SocketAddress& base) const;
  [[nodiscard]] bool MayUse(const ice::Candidate& candidate) const;
  [[nodiscard]] bool LeadsIntoTunnel(const IpAddress& ip) const;
  void DrainAgents(TimePoint now);
  void UpdatePath(TimePoint now);
  void MeasurePath(TimePoint now);
  void DrainPathMtu(TimePoint now);
  void WantOffer(TimePoint when);
  void ResendOffer(TimePoint now);
  [[nodiscard]] bool OfferIsCurrent(std::uint64_t session) const;
  void RepeatCandidates(signaling::MessageKind kind);
  void WithdrawOffer();
  void RestorePrevious();
  void RetireAgents(TimePoint now);
  [[nodiscard]] bool HasGoodPath() const;
  [[nodiscard]] Predictor::View PredictionView() const;
  bool TakePrediction(TimePoint now, const signaling::Message& message);
  void DrainPredictor();

  LinkConfig config_;
  UnixClock clock_;
  const ice::Gatherer& gatherer_;
  ice::Pacer& pacer_;
  RandomSource& random_;
  signaling::Negotiation negotiation_;
  bool wanted_ = false;
  bool peer_offline_ = false;
  bool candidates_lost_ = false;    // The peer was not there.
  bool described_ = false;          // Our credentials of the current session have been sent.
  bool offer_lost_ = false;         // No rendezvous could take offer_.
  bool peer_predicts_ = false;      // It has said so in the current session ...
  bool previous_predicts_ = false;  // ... and in the one before.
  bool path_changed_ = false;
  std::unique_ptr<ice::Agent> current_;
  std::optional<std::uint64_t> answered_;    // The session of the offer that current_ answers.
  std::unique_ptr<ice::Agent> previous_;     // Carries the data until current_ has a path.
  std::optional<TimePoint> previous_ends_;   // Set once current_ has taken over.
  std::optional<signaling::Message> offer_;  // Ours, while it is not answered.
  std::optional<TimePoint> next_offer_;
  std::uint32_t offers_ = 0;  // Since there was last a path.
  std::optional<TimePoint> next_stale_reply_;
  std::vector<std::pair<TimePoint, signaling::Message>> early_;
  ice::mdns::NamedCandidates named_;      // By transaction tag of the agent.
  Fifo<std::string> names_;               // To be asked for.
  std::unique_ptr<Predictor> predictor_;  // Null: not allowed.
  std::optional<ice::Path> path_;
  ice::PathMtu path_mtu_;
  std::uint64_t agents_version_ = 0;
  LinkTimes times_;
  Fifo<signaling::Message> messages_;
  Fifo<ice::Transmit> transmits_;
};

}  // namespace floe::engine
