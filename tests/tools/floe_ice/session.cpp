#include "tests/tools/floe_ice/session.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <variant>

#include "ice/stun/message.h"

namespace floe::tools {
namespace {

using std::chrono::seconds;

constexpr Duration kGatheringDeadline = seconds(10);  // L5: a dead server delays nobody longer.
constexpr Duration kLateChecks = seconds(30);         // RFC 8445 section 9, requirement I20
constexpr std::size_t kMaxGenerations = 4;

}  // namespace

Session::Session(TimePoint now, SessionConfig config, RandomSource& random)
    : config_(config),
      random_(random),
      gatherer_(random),
      mdns_(random),
      gathering_ends_(now + kGatheringDeadline) {
  gatherer_.SetDisclosure({.relay_only = config.relay_only});
  OpenGeneration(now, OpenedBy::kUs);
}

void Session::OpenGeneration(TimePoint now, OpenedBy by) {
  // RFC 8445 section 9: a restart keeps the roles.
  const ice::Role role = generations_.empty() ? config_.role : current().agent->role();
  if (!generations_.empty() && !current().agent->path()) {
    current().ends = now + kLateChecks;  // It carries nothing that the next one could take over.
  }
  if (generations_.size() == kMaxGenerations) {
    generations_.pop_front();
  }
  generations_.push_back({.number = next_number_++, .opened_by = by, .opened = now});
  StartAgent(now, current(), role, ice::MakeCredentials(random_));
  Describe();
}

void Session::StartAgent(TimePoint now, Generation& generation, ice::Role role,
                         const ice::Credentials& local) {
  generation.agent = std::make_unique<ice::Agent>(
      now,
      ice::AgentConfig{
          .role = role, .local = local, .pace = ice::Pace::kStandard, .renomination = false},
      random_);
  for (const ice::Candidate& candidate : SignalledCandidates()) {
    generation.agent->AddLocalCandidate(now, candidate);
  }
  if (gathered_) {
    generation.agent->SetLocalEndOfCandidates();
  }
}

/// Everything the peer has to know of the current generation.
void Session::Describe() {
  const ice::Credentials& local = current().agent->local_credentials();
  lines_.push_back("ufrag " + local.ufrag);
  lines_.push_back("pwd " + std::string(local.password));
  for (const ice::Candidate& candidate : SignalledCandidates()) {
    lines_.push_back("candidate " + LineOf(candidate));
  }
  if (gathered_) {
    lines_.emplace_back("end-of-candidates");
  }
}

bool Session::MaySignal(const ice::Candidate& candidate) const {
  return gatherer_.Tell(candidate).has_value();
}

std::vector<ice::Candidate> Session::SignalledCandidates() const {
  std::vector<ice::Candidate> candidates;
  std::ranges::copy_if(gatherer_.candidates(), std::back_inserter(candidates),
                       [this](const ice::Candidate& each) { return MaySignal(each); });
  return candidates;
}

void Session::AddLocalCandidate(TimePoint now, const ice::Candidate& candidate) {
  lines_.push_back("candidate " + LineOf(candidate));
  current().agent->AddLocalCandidate(now, candidate);
}

std::string Session::LineOf(const ice::Candidate& candidate) const {
  return ToLine(gatherer_.Tell(candidate).value_or(candidate));
}

void Session::SetLocalAddresses(TimePoint now, const std::vector<SocketAddress>& addresses) {
  has_addresses_ = true;
  gatherer_.SetLocalAddresses(now, addresses);
  Drain(now);
}

void Session::SetTcpAddresses(TimePoint now, const std::vector<SocketAddress>& passive,
                              const std::vector<SocketAddress>& simultaneous) {
  gatherer_.SetTcpAddresses(passive, simultaneous);
  Drain(now);
}

void Session::SetServers(TimePoint now, const std::vector<SocketAddress>& stun,
                         std::vector<ice::RelayServer> relays, bool more) {
  has_servers_ = true;
  names_pending_ = more;
  gatherer_.SetServers(now, stun, std::move(relays));
  Drain(now);
}

void Session::HandleLine(TimePoint now, std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
    return;
  }
  const auto command = ParseCommand(line);
  if (!command) {
    const std::string_view word = line.substr(0, line.find(' '));  // Not all: it may be a password.
    Complain(std::string(word.substr(0, 32)) + ": " + std::string(ToString(command.error())));
    return;
  }
  std::visit([&](const auto& told) { Handle(now, told); }, *command);
  Drain(now);
}

void Session::HandleDatagram(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                             Bytes datagram) {
  const auto inbound = gatherer_.HandleDatagram(now, local, remote, datagram);
  switch (inbound.verdict) {
    case ice::Gatherer::Verdict::kConsumed:
      break;
    case ice::Gatherer::Verdict::kData:
      HandleFromPeer(now, inbound.local, inbound.remote, inbound.payload);
      break;
    case ice::Gatherer::Verdict::kNotMine:
      if (!config_.relay_only) {  // RFC 8828 mode 4: nobody learns where we are from an answer.
        HandleFromPeer(now, local, remote, datagram);
      }
      break;
  }
  Drain(now);
}

void Session::HandleFromPeer(TimePoint now, const SocketAddress& local, const SocketAddress& remote,
                             Bytes payload) {
  if (const auto message = ice::stun::MessageView::Parse(payload)) {
    for (Generation& generation : generations_) {
      if (generation.agent->HandleMessage(now, local, remote, *message)) {
        return;
      }
    }
    return;
  }
  // RFC 8445 section 12.2: data may come by any pair. Each end of one was told, or has proved
  // itself.
  for (Generation& generation : generations_) {
    const auto& pairs = generation.agent->pairs();
    if (std::ranges::any_of(pairs, [&](const ice::Pair& pair) {
          return pair.local->base == local && pair.remote->address == remote;
        })) {
      generation.agent->NoteDataReceived(now, local, remote);
      lines_.push_back("recv " + ToHex(payload));
      return;
    }
  }
}

void Session::HandleUnreachable(TimePoint now, const SocketAddress& local,
                                const SocketAddress& remote) {
  for (Generation& generation : generations_) {
    generation.agent->HandleUnreachable(now, local, remote);
  }
  Drain(now);
}

void Session::HandleTimeout(TimePoint now) {
  if (const auto next = gatherer_.NextTimeout(); next && *next <= now) {
    gatherer_.HandleTimeout(now);
  }
  mdns_.HandleTimeout(now);
  TakeResolutions(now);
  for (Generation& generation : generations_) {
    if (const auto next = generation.agent->NextTimeout(); next && *next <= now) {
      generation.agent->HandleTimeout(now);
    }
  }
  Drain(now);
}

void Session::HandleStreamOpened(TimePoint now, ice::StreamId id, const SocketAddress& local) {
  std::ignore = gatherer_.HandleStreamOpened(now, id, local);
  Drain(now);
}

void Session::HandleStreamBytes(TimePoint now, ice::StreamId id, Bytes bytes) {
  std::ignore = gatherer_.HandleStreamBytes(now, id, bytes);
  while (const auto received = gatherer_.PollReceived()) {
    HandleFromPeer(now, received->local, received->remote, received->payload);
  }
  Drain(now);
}

void Session::HandleStreamClosed(TimePoint now, ice::StreamId id, std::string_view reason) {
  std::ignore = gatherer_.HandleStreamClosed(now, id, reason);
  Drain(now);
}

std::optional<ice::StreamAction> Session::PollStreamAction() {
  return gatherer_.PollStreamAction();
}

void Session::HandleMdns(TimePoint now, Bytes datagram) {
  mdns_.HandleDatagram(datagram);
  TakeResolutions(now);
  Drain(now);
}

void Session::Close(TimePoint now) {
  closed_ = true;
  gatherer_.Close(now);
  while (auto transmit = gatherer_.PollTransmit()) {
    transmits_.push_back(std::move(*transmit));
  }
}

void Session::Drain(TimePoint now) {
  if (closed_) {
    return;
  }
  do {
    for (Generation& generation : generations_) {
      while (auto transmit = generation.agent->PollTransmit()) {
        gatherer_.Send(now, transmit->local, transmit->remote, std::move(transmit->payload),
                       transmit->handling);
      }
      while (const auto event = generation.agent->PollEvent()) {
        const auto* changed = std::get_if<ice::StateChanged>(&*event);
        if (changed != nullptr && &generation == &current()) {
          generation.told_completed = false;
          lines_.push_back("state " + std::string(ToString(changed->state)));
        }
      }
    }
  } while (DrainGatherer(now));
  EndGatheringIfDone(now);
  TellSelection(now);
  TellCompleted(current());
  RetireGenerations(now);
  while (auto transmit = gatherer_.PollTransmit()) {
    transmits_.push_back(std::move(*transmit));
  }
}

bool Session::DrainGatherer(TimePoint now) {
  bool any = false;
  while (const auto event = gatherer_.PollEvent()) {
    any = true;
    HandleGathererEvent(now, *event);
  }
  return any;
}

void Session::HandleGathererEvent(TimePoint now, const ice::GathererEvent& event) {
  if (const auto* added = std::get_if<ice::CandidateAdded>(&event)) {
    // RFC 8838 section 13: after the end there are no more. The next generation tells them.
    if (MaySignal(added->candidate) && !gathered_) {
      AddLocalCandidate(now, added->candidate);
    }
  } else if (const auto* removed = std::get_if<ice::CandidateRemoved>(&event)) {
    if (removed->candidate.base == removed->candidate.address) {
      for (Generation& generation : generations_) {
        generation.agent->RemoveLocalBase(now, removed->candidate.base);
      }
    }
  } else if (const auto* refused = std::get_if<ice::RelayRefused>(&event)) {
    Complain("relay " + ToString(refused->server) + ": " + std::to_string(refused->code) + ' ' +
             std::string(refused->reason));
  } else if (const auto* unreachable = std::get_if<ice::RelayedUnreachable>(&event)) {
    for (Generation& generation : generations_) {
      generation.agent->HandleUnreachable(now, unreachable->relayed, unreachable->peer);
    }
  }
}

void Session::EndGatheringIfDone(TimePoint now) {
  if (gathered_ || !has_addresses_ || !has_servers_) {
    return;
  }
  if ((!names_pending_ && gatherer_.is_settled()) || now >= gathering_ends_) {
    gathered_ = true;
    lines_.emplace_back("end-of-candidates");
    current().agent->SetLocalEndOfCandidates();
  }
}

void Session::TellCompleted(Generation& generation) {
  const ice::Agent& agent = *generation.agent;
  if (agent.state() == ice::State::kConnected && agent.nominated() != nullptr &&
      !generation.told_completed) {
    generation.told_completed = true;
    lines_.emplace_back("state completed");
  }
}

Session::Generation* Session::Carrier() {
  const auto found = std::ranges::find_if(
      generations_.rbegin(), generations_.rend(),
      [](const Generation& generation) { return generation.agent->selected() != nullptr; });
  return found == generations_.rend() ? nullptr : &*found;
}

void Session::TellSelection(TimePoint now) {
  Generation* carrier = Carrier();
  if (carrier == nullptr) {
    selection_.reset();
    return;
  }
  const ice::Pair& pair = *carrier->agent->selected();
  std::string line =
      "selected " + LineOf(carrier->agent->LocalCandidateOf(pair)) + " | " + ToLine(*pair.remote);
  if (selection_ && selection_->first == carrier->agent.get() && selection_->second == line) {
    return;
  }
  selection_.emplace(carrier->agent.get(), line);
  lines_.push_back(std::move(line));
  gatherer_.UseForData(now, pair.local->base, pair.remote->address);
}

void Session::RetireGenerations(TimePoint now) {
  if (current().agent->path()) {
    current().had_path = true;
    for (std::size_t i = 0; i + 1 < generations_.size(); ++i) {
      generations_[i].ends = generations_[i].ends.value_or(now + kLateChecks);
    }
  }
  std::erase_if(generations_, [&](const Generation& generation) {
    return &generation != &generations_.back() && generation.ends && *generation.ends <= now;
  });
}

std::optional<ice::Transmit> Session::PollTransmit() {
  if (transmits_.empty()) {
    return std::nullopt;
  }
  ice::Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<std::vector<std::uint8_t>> Session::PollMdnsQuery() {
  return mdns_.PollQuery();
}

std::optional<std::string> Session::PollLine() {
  if (lines_.empty()) {
    return std::nullopt;
  }
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

std::optional<std::string> Session::PollComplaint() {
  if (complaints_.empty()) {
    return std::nullopt;
  }
  std::string text = std::move(complaints_.front());
  complaints_.pop_front();
  return text;
}

std::optional<TimePoint> Session::NextTimeout() const {
  std::optional<TimePoint> next = gatherer_.NextTimeout();
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) {
      next = time;
    }
  };
  if (!gathered_ && has_addresses_) {
    consider(gathering_ends_);
  }
  consider(mdns_.NextTimeout());
  for (const Generation& generation : generations_) {
    consider(generation.agent->NextTimeout());
    consider(generation.ends);
  }
  return next;
}

}  // namespace floe::tools
