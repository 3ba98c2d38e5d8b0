// The part of Session that obeys: what each line of the peer's, and each command, means.

#include <algorithm>
#include <utility>

#include "ice/candidate.h"
#include "tests/tools/floe_ice/session.h"

namespace floe::tools {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaxEarly = 100;            // Requirement T3
constexpr Duration kEarlyLifetime = seconds(30);  // Likewise
constexpr Duration kSameRestart = seconds(1);

/// The value of the extension "ufrag" of a candidate line (RFC 8838 section 11), which browsers
/// write.
std::optional<std::string> UfragOf(std::string_view line) {
  constexpr std::string_view kKey = " ufrag ";
  const std::size_t found = line.find(kKey);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view rest = line.substr(found + kKey.size());
  return std::string(rest.substr(0, rest.find(' ')));
}

}  // namespace

void Session::Handle(TimePoint now, const RemoteUfrag& command) {
  if (current().remote_ufrag == command.ufrag) {
    return;  // Said again.
  }
  if (current().remote_ufrag) {
    const ice::State state = current().agent->state();
    if (current().had_path || state == ice::State::kFailed) {
      OpenGeneration(now, OpenedBy::kPeer);  // RFC 8445 section 9: ours change as well.
    } else {
      // The peer began anew before there was a path. Ours stay, so that two ends that do this at
      // once do not drive each other round for ever; but the peer may want to hear them again.
      const ice::Credentials local = current().agent->local_credentials();
      StartAgent(now, current(), current().agent->role(), local);
      Describe();
    }
    current().remote_password.reset();
  }
  current().remote_ufrag = command.ufrag;
  if (early_password_) {
    current().remote_password = std::exchange(early_password_, std::nullopt);
  }
  TakeEarlyCandidates(now);
  ApplyRemoteCredentials(now);
}

void Session::Handle(TimePoint now, const RemotePassword& command) {
  if (current().remote_password) {
    if (*current().remote_password != command.password) {
      early_password_ = command.password;  // Of a ufrag that is to come.
    }
    return;
  }
  current().remote_password = command.password;
  ApplyRemoteCredentials(now);
}

void Session::ApplyRemoteCredentials(TimePoint now) {
  Generation& generation = current();
  if (!generation.remote_ufrag || !generation.remote_password) {
    return;
  }
  const auto set = generation.agent->SetRemoteCredentials(
      now, {.ufrag = *generation.remote_ufrag, .password = WipedText(*generation.remote_password)});
  if (!set) {
    Complain("ufrag, pwd: " + std::string(ToString(set.error())));
    generation.remote_ufrag.reset();
    generation.remote_password.reset();
  }
}

/// After a restart of ours, a candidate without a ufrag is the old generation's until the peer's
/// next ufrag.
Session::Generation& Session::GenerationOfUnnamed() {
  const bool waits = !current().remote_ufrag && generations_.size() > 1;
  return waits ? generations_[generations_.size() - 2] : current();
}

void Session::Handle(TimePoint now, const RemoteCandidate& command) {
  const auto ufrag = UfragOf(command.line);
  if (!ufrag) {
    AddRemoteCandidate(now, GenerationOfUnnamed(), command.line);
    return;
  }
  const auto named = std::ranges::find(generations_, ufrag, &Generation::remote_ufrag);
  if (named != generations_.end()) {
    AddRemoteCandidate(now, *named, command.line);
    return;
  }
  if (early_.size() == kMaxEarly) {
    early_.pop_front();
  }
  early_.push_back({.came = now, .ufrag = *ufrag, .line = command.line});
}

void Session::TakeEarlyCandidates(TimePoint now) {
  for (const EarlyCandidate& early : early_) {
    if (early.ufrag == current().remote_ufrag && now - early.came < kEarlyLifetime) {
      AddRemoteCandidate(now, current(), early.line);
    }
  }
  std::erase_if(early_, [&](const EarlyCandidate& early) {
    return early.ufrag == current().remote_ufrag || now - early.came >= kEarlyLifetime;
  });
}

void Session::AddRemoteCandidate(TimePoint now, Generation& generation, std::string_view line) {
  const auto candidate = ice::ParseCandidate(line);
  if (!candidate) {
    Complain("candidate: " + std::string(ToString(candidate.error())));
    return;
  }
  if (candidate->name.empty()) {
    AddRemoteCandidate(now, generation, *candidate);
  } else if (!named_.Add(generation.number, *candidate) || !mdns_.Resolve(now, candidate->name)) {
    Complain("candidate: a name that is not asked for");  // Of .local names alone, and few.
  }
}

void Session::AddRemoteCandidate(TimePoint now, Generation& generation,
                                 const ice::Candidate& candidate) {
  if (const auto added = generation.agent->AddRemoteCandidate(now, candidate); !added) {
    Complain("candidate: " + std::string(ToString(added.error())));
  }
}

void Session::TakeResolutions(TimePoint now) {
  while (const auto resolution = mdns_.PollResolution()) {
    if (!resolution->address) {
      Complain("candidate: nobody answers for " + resolution->name);
    }
    for (const auto& [number, candidate] : named_.Take(*resolution)) {
      const auto generation = std::ranges::find(generations_, number, &Generation::number);
      if (generation != generations_.end()) {
        AddRemoteCandidate(now, *generation, candidate);
      }
    }
  }
}

void Session::Handle(TimePoint /*now*/, const RemoteEndOfCandidates& /*command*/) {
  GenerationOfUnnamed().agent->SetRemoteEndOfCandidates();
}

void Session::Handle(TimePoint now, const SendData& command) {
  Generation* carrier = Carrier();
  if (carrier == nullptr) {
    Complain("send: there is no path");
    return;
  }
  const ice::Pair& pair = *carrier->agent->selected();
  gatherer_.Send(now, pair.local->base, pair.remote->address, command.payload);
  carrier->agent->NoteDataSent(now);
}

void Session::Handle(TimePoint now, const Restart& /*command*/) {
  // Who drives both ends may tell both to restart, and the peer's lines may have come first: that
  // is one restart, and they want to see our lines of it.
  if (current().opened_by == OpenedBy::kPeer && now - current().opened < kSameRestart) {
    Describe();
    return;
  }
  OpenGeneration(now, OpenedBy::kUs);
}

void Session::Handle(TimePoint now, const CloseSession& /*command*/) {
  Close(now);
}

}  // namespace floe::tools
