// Which offer two peers agree on, when both may offer at any time and messages may be lost,
// repeated, or meant for a session that is over.
//
// Source: ours. RFC 3264 section 4 leaves crossed offers (glare) to whoever carries them; the
// tie-break by key follows ICE's own by number (RFC 8445 section 7.3.1.1).

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/key.h"
#include "signaling/message.h"

namespace floe::signaling {

/// The rules for one peer. It sends nothing and keeps no time: its owner tells it what it offers
/// and what came, and does what the verdict says.
///
/// A session is one attempt to connect and a generation one set of ICE credentials in it. An epoch
/// is both together, and has one offer. Two epochs matter: the settled one, whose offer was
/// answered, and that of an offer of ours which waits for its answer.
///
///   idle -> offering          StartOffer
///   idle -> settled           their offer (kAnswerOffer)
///   offering -> settled       their answer (kTakeAnswer); or their offer, when our key is higher
///   offering -> offering      StartOffer and StartRestart again; kKeepOffer; kOfferAgain;
///                             WithdrawOffer when an earlier offer waits as well
///   offering -> idle/settled  WithdrawOffer else: back to what was settled before, if anything
///   settled -> offering       StartOffer, StartRestart
///   settled -> settled        their next offer
///
/// The rules lean on this: messages of one direction arrive in order if they arrive (those that
/// have arrived may come again at any time), and those of a program that ended, before those of its
/// next run. Should that break, the peers may hold different offers, no path comes up, and the
/// next StartOffer of either side mends it.
///
/// The owner tries again, by StartOffer, while an offer stays unanswered. Nothing else ever needs
/// repeating: an offer sent twice is a duplicate to the other side. One that is said again with
/// another seq tells a side that has answered it that the answer was lost: it answers anew.
class Negotiation {
 public:
  enum class Verdict : std::uint8_t {
    kIgnore,
    kAnswerOffer,     // Theirs is now the session: reset ICE with it and answer.
    kTakeAnswer,      // It answers our offer, which is now settled.
    kTakeCandidates,  // Candidates, or the end of them, of the settled epoch.
    kEarly,           // The same of an epoch whose offer has not come: keep a bounded number for a
                      // bounded time and judge them again after the next kAnswerOffer.
    kKeepOffer,   // Theirs crossed ours and ours wins. Nothing to do, unless ours has waited for
                  // more than a few round trips: it must be lost, so StartOffer.
    kReplyStale,  // Send kStale with newest_session(), at a bounded rate.
    kOfferAgain,  // Our offer was stale: StartOffer, whose number is higher.
  };

  Negotiation(const PublicKey& self, const PublicKey& peer);

  /// Opens a session of ours at generation 0 and returns its number: the time, unless that is not
  /// above every session seen so far. Answers to an offer that waited count no more.
  std::uint64_t StartOffer(std::uint64_t unix_ms);

  /// Opens the next generation of session(), to be offered by us, and returns its number. Nothing,
  /// and no change, where there is no session or no further number: StartOffer instead.
  [[nodiscard]] std::optional<std::uint32_t> StartRestart();

  /// The offer of session() and generation() will not reach the peer: the rendezvous said it was
  /// not delivered. An offer that might arrive after all must not be withdrawn. If an earlier offer
  /// that might was waiting before it, that one waits again.
  void WithdrawOffer();

  /// `message` came from the peer: its box opened.
  [[nodiscard]] Verdict Judge(const Message& message);

  /// For the next message of ours, whatever its epoch: it only ever grows.
  [[nodiscard]] std::uint32_t NextSeq() { return next_seq_++; }

  /// That of the offer that waits, else the settled one. 0: none yet.
  [[nodiscard]] std::uint64_t session() const { return current().session; }

  [[nodiscard]] std::uint32_t generation() const { return current().generation; }

  /// The highest session either side has named.
  [[nodiscard]] std::uint64_t newest_session() const { return newest_session_; }

  /// We offered and nobody answered yet.
  [[nodiscard]] bool offer_outstanding() const { return outstanding_.has_value(); }

  /// Whether the offer of session() and generation() is ours.
  [[nodiscard]] bool is_offerer() const { return offer_outstanding() || settled_is_ours_; }

 private:
  struct Epoch {
    std::uint64_t session = 0;
    std::uint32_t generation = 0;

    auto operator<=>(const Epoch&) const = default;
  };

  [[nodiscard]] const Epoch& current() const { return outstanding_ ? *outstanding_ : settled_; }

  /// Whether an offer of this epoch by the peer has been neither settled, refused nor overtaken.
  [[nodiscard]] bool IsFresh(const Epoch& epoch) const;
  void Settle(const Epoch& epoch, std::uint32_t seq);
  void Refuse(const Epoch& epoch);

  [[nodiscard]] Verdict JudgeOffer(const Epoch& epoch, std::uint32_t seq);
  [[nodiscard]] Verdict JudgeAnswer(const Epoch& epoch, std::uint32_t seq);
  [[nodiscard]] Verdict JudgeCandidates(const Epoch& epoch, std::uint32_t seq);
  [[nodiscard]] Verdict JudgeStale(std::uint64_t newest);

  bool wins_;  // Our key is the lower one, so our offer wins when two cross.
  Epoch settled_;
  bool settled_is_ours_ = false;
  std::optional<Epoch> outstanding_;
  std::optional<Epoch> overtaken_;  // The one that waited when outstanding_ took its place.
  std::uint64_t newest_session_ = 0;
  std::uint32_t newest_generation_ = 0;  // The highest used by either side in the session.
  std::uint32_t next_seq_ = 0;
  std::uint32_t last_seq_ = 0;  // The last one taken from the peer in settled_.

  // What has been judged already, so that a repeated offer cannot unsettle anything later.
  Epoch refused_;                         // The highest refused beyond the settled session.
  std::uint32_t refused_generation_ = 0;  // The highest refused within it.
  Epoch last_offer_;
  std::uint32_t last_offer_seq_ = 0;
};

[[nodiscard]] std::string_view ToString(Negotiation::Verdict verdict);

}  // namespace floe::signaling
