#include "app/floed/engine/link.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace floe::engine {
namespace {

using signaling::Message;
using signaling::MessageKind;
using std::chrono::milliseconds;
using std::chrono::seconds;

// How long an offer may go unanswered or unheard, or a session without a path, before the next.
constexpr std::array<Duration, 6> kOfferRetries{seconds(2),  seconds(5),  seconds(10),
                                                seconds(15), seconds(30), seconds(60)};
constexpr Duration kPathLostGrace = seconds(2);  // A pair may answer again.
constexpr Duration kSuspectGrace = seconds(5);   // A path that does not answer, and no other.
constexpr Duration kLostLately = seconds(60);
constexpr Duration kPreviousLinger = seconds(3);  // RFC 8445 section 8.3.1
constexpr Duration kStaleReplyInterval = seconds(1);
constexpr Duration kEarlyLifetime = seconds(30);
constexpr std::size_t kMaxEarly = 100;
constexpr std::size_t kMaxCandidates = 32;  // In one message; a peer keeps no more of ours.
constexpr std::size_t kMaxNamed = 8;        // Candidates of the peer that have a name.
constexpr std::string_view kTrickle = "trickle";
constexpr std::string_view kRenomination = "renomination";

Duration OfferDelay(std::uint32_t offers) {
  return kOfferRetries[std::min<std::size_t>(offers, kOfferRetries.size() - 1)];
}

bool Has(const std::vector<std::string>& options, std::string_view option) {
  return std::ranges::find(options, option) != options.end();
}

}  // namespace

Link::Link(LinkConfig config, const PublicKey& self, const UnixClock& clock,
           const ice::Gatherer& gatherer, ice::Pacer& pacer, RandomSource& random)
    : config_(std::move(config)),
      clock_(clock),
      gatherer_(gatherer),
      pacer_(pacer),
      random_(random),
      negotiation_(self, config_.key),
      named_(kMaxNamed),
      predictor_(config_.port_prediction && config_.policy == PathPolicy::kAll
                     ? std::make_unique<Predictor>(gatherer, random)
                     : nullptr) {}

void Link::Describe(std::string name, std::vector<IpPrefix> allowed_ips) {
  config_.name = std::move(name);
  config_.allowed_ips = std::move(allowed_ips);
}

void Link::SetWanted(TimePoint now, bool wanted) {
  if (wanted == wanted_) {
    return;
  }
  wanted_ = wanted;
  times_ = {};
  if (wanted) {
    times_.started = now;
    Offer(now);
    return;
  }
  current_.reset();
  answered_.reset();
  previous_.reset();
  previous_ends_.reset();
  next_offer_.reset();
  offer_.reset();
  offers_ = 0;
  early_.clear();
  names_.Clear();
  messages_.Clear();
  transmits_.Clear();
  ++agents_version_;
  UpdatePath(now);
}

void Link::HandleRendezvousUp(TimePoint now) {
  if (wanted_ && !HasGoodPath()) {
    const bool is_under_way = negotiation_.offer_outstanding() && !peer_offline_ && !offer_lost_;
    offers_ = 0;
    is_under_way ? ResendOffer(now) : Offer(now);  // Its answer may be what is lost.
  } else {
    // What the peer said while we were away is lost, and perhaps what we said: it repeats all.
    RepeatCandidates(MessageKind::kEndOfCandidates);
  }
}

/// What we have found since may be news to the peer; what is not, it knows to ignore.
void Link::RepeatCandidates(MessageKind kind) {
  candidates_lost_ = false;
  if (!described_ || !current_) {
    return;
  }
  Message message = MakeMessage(kind);
  AddCandidates(message);
  if (!message.candidates.empty()) {
    messages_.Push(std::move(message));
  }
}

void Link::HandleDelivery(TimePoint now, Delivery delivery) {
  if (delivery != Delivery::kDelivered && !messages_.empty()) {
    return;  // What waits to be sent may arrive: an offer that was said again is not withdrawn.
  }
  switch (delivery) {
    case Delivery::kDelivered:
      peer_offline_ = false;
      if (candidates_lost_) {
        RepeatCandidates(MessageKind::kCandidate);
      }
      return;
    case Delivery::kOffline:
      candidates_lost_ = true;
      peer_offline_ = true;  // It offers when it comes; until then we ask now and then.
      WithdrawOffer();
      return;
    case Delivery::kLimited:
      if (negotiation_.offer_outstanding()) {
        next_offer_ = now + OfferDelay(std::max(offers_, 1U) - 1);
      }
      return;
    case Delivery::kNotConnected:
      offer_lost_ = true;  // HandleRendezvousUp() comes.
      WithdrawOffer();
      return;
  }
}

void Link::WithdrawOffer() {
  negotiation_.WithdrawOffer();
  if (!negotiation_.offer_outstanding() && offer_ && previous_) {
    // The session before the offer is the one that both ends know.
    RestorePrevious();
    offer_.reset();
  }
}

void Link::RestorePrevious() {
  peer_predicts_ = previous_predicts_;
  current_ = std::move(previous_);
  answered_.reset();
  previous_ends_.reset();
  ++agents_version_;
}

void Link::HandleMessage(TimePoint now, const Message& message) {
  using Verdict = signaling::Negotiation::Verdict;
  if (!wanted_) {
    return;
  }
  peer_offline_ = false;
  const Verdict verdict = negotiation_.Judge(message);
  log::Debug("{}: {} {} of session {}.{}: {}", config_.name, ToString(message.kind), message.seq,
             message.session, message.generation, signaling::ToString(verdict));
  switch (verdict) {
    case Verdict::kIgnore:
      return;
    case Verdict::kKeepOffer:
      ResendOffer(now);
      return;
    case Verdict::kAnswerOffer:
      Answer(now, message);
      return;
    case Verdict::kTakeAnswer:
      if (!OfferIsCurrent(message.session)) {
        Offer(now);  // It answers one whose credentials another offer has replaced.
        return;
      }
      [[fallthrough]];
    case Verdict::kTakeCandidates:
      if (TakePrediction(now, message)) {
        return;
      }
      TakeRemote(now, message);
      if (candidates_lost_ || message.kind == MessageKind::kEndOfCandidates) {
        RepeatCandidates(MessageKind::kCandidate);  // Which is not answered in turn.
      }
      return;
    case Verdict::kEarly:
      KeepEarly(now, message);
      return;
    case Verdict::kReplyStale:
      if (!next_stale_reply_ || now >= *next_stale_reply_) {
        next_stale_reply_ = now + kStaleReplyInterval;
        Message reply = MakeMessage(MessageKind::kStale);
        reply.session = negotiation_.newest_session();
        messages_.Push(std::move(reply));
      }
      return;
    case Verdict::kOfferAgain:
      Offer(now);
      return;
  }
}

void Link::Offer(TimePoint now) {
  negotiation_.StartOffer(clock_.Milliseconds(now));
  StartAgent(now, ice::Role::kControlling);
  Message offer = MakeMessage(MessageKind::kOffer);
  AddOurDescription(offer);
  log::Debug("{}: we offer session {}.{}", config_.name, offer.session, offer.generation);
  messages_.Push(offer);
  offer_ = std::move(offer);
  offer_lost_ = false;
  candidates_lost_ = false;
  described_ = true;
  next_offer_ = now + OfferDelay(offers_++);
}

/// The peer's offer crossed ours, and ours counts. It may never have heard of it.
void Link::ResendOffer(TimePoint now) {
  if (!OfferIsCurrent(negotiation_.session())) {
    Offer(now);  // The one that waits is from before the last, which was withdrawn.
    return;
  }
  offer_->candidates.clear();
  AddCandidates(*offer_);                // Those found since were told to nobody.
  offer_->seq = negotiation_.NextSeq();  // No duplicate: if the peer has answered it, that is lost.
  messages_.Push(*offer_);
}

/// Whether our latest offer, whose credentials the current session has, is of this number. One that
/// waited too long has none any more.
bool Link::OfferIsCurrent(std::uint64_t session) const {
  return offer_ && offer_->session == session && current_->state() != ice::State::kFailed;
}

void Link::Answer(TimePoint now, const Message& offer) {
  offer_.reset();
  // Said again, because our answer was lost or is still on its way: both must say the same.
  if (answered_ != offer.session || current_->state() == ice::State::kFailed) {
    StartAgent(now, ice::Role::kControlled);
    answered_ = offer.session;
  }
  Message answer = MakeMessage(MessageKind::kAnswer);
  AddOurDescription(answer);
  messages_.Push(std::move(answer));
  candidates_lost_ = false;
  described_ = true;
  TakeRemote(now, offer);
  // If nothing comes of it, it is our turn; a little later than the peer's, who tries as well.
  next_offer_ = now + std::max(OfferDelay(offers_), kOfferRetries[2]) + kOfferRetries[0];
  const auto early = std::exchange(early_, {});
  for (const auto& [when, message] : early) {
    if (now - when < kEarlyLifetime) {
      HandleMessage(now, message);
    }
  }
}

void Link::StartAgent(TimePoint now, ice::Role role) {
  if (current_ && current_->path()) {
    previous_ = std::move(current_);
    previous_predicts_ = peer_predicts_;
    previous_ends_.reset();
  }
  answered_.reset();
  current_ = std::make_unique<ice::Agent>(
      now, ice::AgentConfig{.role = role, .local = ice::MakeCredentials(random_), .pacer = &pacer_},
      random_);
  described_ = false;
  peer_predicts_ = false;
  for (const ice::Candidate& candidate : gatherer_.candidates()) {
    if (MayUse(candidate)) {
      current_->AddLocalCandidate(now, candidate);
    }
  }
  ++agents_version_;
  UpdatePath(now);
}

void Link::TakeRemote(TimePoint now, const Message& message) {
  if (!current_) {
    return;
  }
  if (message.kind == MessageKind::kOffer || message.kind == MessageKind::kAnswer) {
    current_->set_renomination(Has(message.options, kRenomination));
    peer_predicts_ = Has(message.options, kPredictionOption);
    if (const auto set = current_->SetRemoteCredentials(
            now, {.ufrag = message.ufrag, .password = message.password});
        !set) {
      log::Debug("{}: {}", config_.name, ToString(set.error()));
      return;
    }
  }
  if (message.kind == MessageKind::kAnswer) {
    offer_.reset();
    // Answered: ICE gets its time.
    next_offer_ = now + std::max(OfferDelay(offers_), kOfferRetries[2]);
  }
  // While an offer of ours waits, what comes belongs to the session before it.
  ice::Agent& agent = negotiation_.offer_outstanding() && previous_ ? *previous_ : *current_;
  AddRemoteCandidates(now, agent, message.candidates);
  DrainAgents(now);
}

void Link::AddRemoteCandidates(TimePoint now, ice::Agent& agent,
                               const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const auto candidate = ice::ParseCandidate(line);
    if (!candidate) {
      log::Debug("{}: candidate left out: {}", config_.name, ToString(candidate.error()));
      continue;
    }
    log::Debug("{}: is told to be at {}", config_.name, ice::ToLine(*candidate));
    if (!candidate->name.empty() && MayUse(*candidate)) {
      if (named_.Add(agent.transaction_tag(), *candidate)) {
        names_.Push(candidate->name);
      }
      continue;
    }
    AddRemoteCandidate(now, agent, *candidate);
  }
}

void Link::AddRemoteCandidate(TimePoint now, ice::Agent& agent, const ice::Candidate& candidate) {
  if (LeadsIntoTunnel(candidate.address.ip) || !MayUse(candidate)) {
    return;
  }
  if (const auto added = agent.AddRemoteCandidate(now, candidate); !added) {
    log::Debug("{}: candidate refused: {}", config_.name, ToString(added.error()));
  }
}

void Link::HandleName(TimePoint now, const ice::mdns::Resolution& resolution) {
  for (const auto& [tag, candidate] : named_.Take(resolution)) {
    for (const auto& agent : {current_.get(), previous_.get()}) {
      if (agent != nullptr && agent->transaction_tag() == tag) {
        AddRemoteCandidate(now, *agent, candidate);
      }
    }
  }
  DrainAgents(now);
}

void Link::KeepEarly(TimePoint now, const Message& message) {
  std::erase_if(early_, [&](const auto& entry) { return now - entry.first >= kEarlyLifetime; });
  if (early_.size() < kMaxEarly) {
    early_.emplace_back(now, message);
  }
}

Message Link::MakeMessage(MessageKind kind) {
  Message message{};
  message.kind = kind;
  message.session = negotiation_.session();
  message.generation = negotiation_.generation();
  message.seq = negotiation_.NextSeq();
  return message;
}

void Link::AddOurDescription(Message& message) const {
  message.ufrag = current_->local_credentials().ufrag;
  message.password = current_->local_credentials().password;
  message.options = {std::string(kTrickle), std::string(kRenomination)};
  if (predictor_) {
    message.options.emplace_back(kPredictionOption);
  }
  AddCandidates(message);
}

void Link::AddCandidates(Message& message) const {
  std::vector<ice::Candidate> usable;
  for (const ice::Candidate& candidate : gatherer_.candidates()) {
    if (const auto told = gatherer_.Tell(candidate); told && MayUse(candidate)) {
      usable.push_back(*told);
    }
  }
  // Of too many the relayed ones stay, which always lead here, and then those of most priority.
  const auto rank = [](const ice::Candidate& candidate) {
    const bool relayed = candidate.type == ice::CandidateType::kRelayed;
    return std::pair(relayed ? 0 : 1, UINT32_MAX - candidate.priority);
  };
  if (usable.size() > kMaxCandidates) {
    std::ranges::stable_sort(usable, {}, rank);
    usable.resize(kMaxCandidates);
  }
  for (const ice::Candidate& candidate : usable) {
    message.candidates.push_back(ice::ToLine(candidate));
  }
}

bool Link::MayUse(const ice::Candidate& candidate) const {
  switch (config_.policy) {
    case PathPolicy::kAll:
      return true;
    case PathPolicy::kDirectOnly:
      return candidate.type != ice::CandidateType::kRelayed;
    case PathPolicy::kRelayOnly:
      return candidate.type == ice::CandidateType::kRelayed;
  }
  return false;
}

/// Whether a check to this base may be answered. One who is told of relays alone must not learn, by
/// asking elsewhere, who is behind them.
bool Link::MayAnswerFrom(const SocketAddress& base) const {
  switch (config_.policy) {
    case PathPolicy::kAll:
      return true;
    case PathPolicy::kDirectOnly:
      return !gatherer_.IsRelayed(base);
    case PathPolicy::kRelayOnly:
      return gatherer_.IsRelayed(base);
  }
  return false;
}

/// A candidate that is reached through this very link would send the tunnel into itself.
bool Link::LeadsIntoTunnel(const IpAddress& ip) const {
  return std::ranges::any_of(config_.allowed_ips, [&](const IpPrefix& prefix) {
    return prefix.length > 0 && prefix.Contains(ip);
  });
}

void Link::HandleLocalCandidate(TimePoint now, const ice::Candidate& candidate) {
  if (!current_ || !MayUse(candidate)) {
    return;
  }
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->AddLocalCandidate(now, candidate);
    }
  }
  if (const auto told = gatherer_.Tell(candidate); told && described_) {
    Message message = MakeMessage(MessageKind::kCandidate);
    message.candidates.push_back(ice::ToLine(*told));
    messages_.Push(std::move(message));
  }
  DrainAgents(now);
}

void Link::HandleLocalCandidateGone(TimePoint now, const ice::Candidate& candidate) {
  if (candidate.address != candidate.base) {
    return;  // Checks are sent from the base, which is still ours.
  }
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->RemoveLocalBase(now, candidate.base);
    }
  }
  DrainAgents(now);
}

void Link::HandleNetworkChange(TimePoint now) {
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->HandleNetworkChange(now);
    }
  }
  offers_ = 0;
  if (wanted_ && !HasGoodPath()) {
    WantOffer(now + kPathLostGrace);
  }
}

void Link::HandleUnreachable(TimePoint now, const SocketAddress& local,
                             const SocketAddress& remote) {
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->HandleUnreachable(now, local, remote);
    }
  }
  DrainAgents(now);
}

bool Link::HandleStun(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                      const ice::stun::MessageView& message) {
  if (LeadsIntoTunnel(remote.ip) || !MayAnswerFrom(local)) {
    return false;  // Nor may it become a peer-reflexive candidate.
  }
  bool handled = false;
  for (const auto& agent : {current_.get(), previous_.get()}) {
    handled = handled || (agent != nullptr && agent->HandleMessage(now, local, remote, message));
  }
  DrainAgents(now);
  return handled;
}

void Link::NoteDataSent(TimePoint now) {
  path_mtu_.NoteDataSent();
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->NoteDataSent(now);
    }
  }
}

void Link::NoteDataReceived(TimePoint now, const SocketAddress& local,
                            const SocketAddress& remote) {
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      agent->NoteDataReceived(now, local, remote);
    }
  }
}

void Link::HandleTimeout(TimePoint now) {
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr && agent->NextTimeout() && *agent->NextTimeout() <= now) {
      agent->HandleTimeout(now);
    }
  }
  if (predictor_ && predictor_->NextTimeout() && *predictor_->NextTimeout() <= now) {
    predictor_->HandleTimeout(now, PredictionView());
  }
  path_mtu_.HandleTimeout(now);
  RetireAgents(now);
  DrainAgents(now);
  if (next_offer_ && now >= *next_offer_) {
    next_offer_.reset();
    // An offer that was never answered is made again even if the path has recovered since: until
    // then the two ends would not agree on the session.
    if (wanted_ && (!HasGoodPath() || negotiation_.offer_outstanding())) {
      Offer(now);
    }
  }
}

void Link::RetireAgents(TimePoint now) {
  if (!previous_) {
    return;
  }
  if (current_ && !current_->path()) {
    previous_ends_.reset();  // It has lost what it had taken over.
  }
  const bool replaced = previous_ends_ && now >= *previous_ends_;
  if (replaced || previous_->state() == ice::State::kFailed) {
    previous_.reset();
    previous_ends_.reset();
    ++agents_version_;
  } else if (current_ && current_->state() == ice::State::kFailed) {
    RestorePrevious();  // The restart came to nothing; what there was still works.
  }
}

void Link::DrainAgents(TimePoint now) {
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent == nullptr) {
      continue;
    }
    while (auto transmit = agent->PollTransmit()) {
      transmits_.Push(std::move(*transmit));
    }
    while (const auto event = agent->PollEvent()) {
      if (const auto* changed = std::get_if<ice::StateChanged>(&*event)) {
        log::Debug("{}: ICE {}", config_.name, ice::ToString(changed->state));
      } else if (const auto* answered = std::get_if<ice::SizeAnswered>(&*event)) {
        path_mtu_.HandleAnswer(now, answered->size);
      }
    }
  }
  UpdatePath(now);
}

void Link::UpdatePath(TimePoint now) {
  std::optional<ice::Path> path;
  if (current_ && current_->path()) {
    path = current_->path();
    offers_ = 0;
    if (previous_ && !previous_ends_) {
      previous_ends_ = now + kPreviousLinger;
    }
  } else if (previous_) {
    path = previous_->path();
  }
  const bool other =
      path && (!path_ || path_->local != path->local || path_->remote != path->remote);
  const bool another = other || (path_ && !path);
  if (other) {
    path_changed_ = true;
    times_.path_since = now;
    times_.first_path = times_.first_path.value_or(now);
  }
  if (path && ice::IsDirect(path->tier())) {
    times_.direct = times_.direct.value_or(now);
  }
  if (path_ && !path) {
    path_changed_ = true;
    times_.path_since = now;
  }
  path_ = path;
  if (another) {
    MeasurePath(now);
  }
  DrainPathMtu(now);
  if (predictor_) {
    predictor_->Update(now, PredictionView());
  }
  if (!wanted_) {
    return;
  }
  if (!path_) {
    WantOffer(now + kPathLostGrace);
  } else if (is_suspect()) {
    WantOffer(now + kSuspectGrace);
  }
}

/// What is due already stays due.
void Link::WantOffer(TimePoint when) {
  next_offer_ = next_offer_.value_or(when);
}

bool Link::HasGoodPath() const {
  return path_ && !is_suspect();
}

bool Link::is_lost(TimePoint now) const {
  return wanted_ && !path_ && times_.path_since && now - *times_.path_since < kLostLately;
}

bool Link::is_suspect() const {
  const ice::Pair* pair = selected();
  return pair != nullptr && pair->sends >= 6;
}

bool Link::is_doubtful() const {
  const ice::Pair* pair = selected();
  return pair != nullptr && pair->sends >= 3;
}

std::optional<ice::Path> Link::way_back() const {
  return !path_ && current_ ? current_->way_back() : std::nullopt;
}

const ice::Pair* Link::selected() const {
  if (current_ && current_->path()) {
    return current_->selected();
  }
  return previous_ ? previous_->selected() : nullptr;
}

std::vector<std::string> Link::ufrags() const {
  std::vector<std::string> ufrags;
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      ufrags.push_back(agent->local_credentials().ufrag);
    }
  }
  return ufrags;
}

std::vector<std::uint32_t> Link::tags() const {
  std::vector<std::uint32_t> tags;
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr) {
      tags.push_back(agent->transaction_tag());
    }
  }
  return tags;
}

std::optional<Message> Link::PollMessage() {
  DrainPredictor();
  return messages_.Poll();
}

std::optional<ice::Transmit> Link::PollTransmit() {
  DrainPredictor();
  return transmits_.Poll();
}

std::optional<std::string> Link::PollName() {
  return names_.Poll();
}

bool Link::PollPathChanged() {
  return std::exchange(path_changed_, false);
}

std::optional<TimePoint> Link::NextTimeout() const {
  std::optional<TimePoint> next = next_offer_;
  for (const auto& agent : {current_.get(), previous_.get()}) {
    if (agent != nullptr && agent->NextTimeout() && (!next || *agent->NextTimeout() < *next)) {
      next = agent->NextTimeout();
    }
  }
  for (const auto& time : {previous_ends_, path_mtu_.NextTimeout(),
                           predictor_ ? predictor_->NextTimeout() : std::nullopt}) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  }
  return next;
}

}  // namespace floe::engine
