// The part of Runtime that applies a configuration which is read anew.

#include <utility>

#include "app/control/render.h"
#include "app/floed/runtime/engine_config.h"
#include "app/floed/runtime/interface_settings.h"
#include "app/floed/runtime/runtime.h"
#include "base/log.h"
#include "base/uv/sd_notify.h"

namespace floe::daemon {
namespace {

void Notify(const std::string& state) {
  if (const auto told = uv::SdNotify(state); !told) {
    log::Debug("{}", told.error().context);
  }
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

}  // namespace

control::Reply Runtime::Reload() {
  const auto monotonic =
      std::chrono::duration_cast<std::chrono::microseconds>(uv::Loop::Now().time_since_epoch());
  Notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic.count()));
  control::Reply reply = ReadAndApply();
  if (const auto* error = std::get_if<control::ErrorReply>(&reply)) {
    log::Warn("the configuration is not reloaded: {}", error->error);
  } else if (const auto* done = std::get_if<control::ReloadReply>(&reply)) {
    log::Info("the configuration is reloaded: {}", control::RenderReload(*done));
  }
  Notify("READY=1");
  return reply;
}

control::Reply Runtime::ReadAndApply() {
  auto after = source_();
  if (!after) {
    return control::ErrorReply{ToString(after.error()), control::ExitCode::kUsage};
  }
  const ReloadPlan plan = MakeReloadPlan(config_, *after);
  if (!plan.fixed.empty()) {
    return control::ErrorReply{Join(plan.fixed) +
                                   " cannot change while floed runs; nothing was applied: restart "
                                   "floed, or take that back",
                               control::ExitCode::kNo};
  }
  if (const auto changed = ChangeSettings(config_, *after); !changed) {
    std::string text = changed.error().context;
    if (changed.error().code != std::errc::address_in_use) {  // That is a sentence already.
      text += ": " + changed.error().code.message();
    }
    return control::ErrorReply{text + "; nothing was applied", control::ExitCode::kNo};
  }
  Apply(std::move(*after), plan);
  Flush();
  const auto count = [](const auto& places) { return static_cast<std::uint32_t>(places.size()); };
  return control::ReloadReply{.added = count(plan.added),
                              .removed = count(plan.removed),
                              .changed = count(plan.changed),
                              .settings = plan.settings};
}

void Runtime::Apply(config::Config after, const ReloadPlan& plan) {
  ApplyPeers(after, plan);
  ApplyRendezvous(after, plan);
  engine_->SetAddresses(ToEngineAddresses(after));
  log::SetLevel(after.log_level);
  config_ = std::move(after);
  if (plan.servers) {
    ResolveConfigured();
  }
}

/// Those that go make room first: their allowed IPs and names may be others' now.
void Runtime::ApplyPeers(config::Config& after, const ReloadPlan& plan) {
  const TimePoint now = uv::Loop::Now();
  for (const std::size_t place : plan.removed) {
    endpoint_resolvers_.erase(peer_ids_[place]);
    engine_->RemovePeer(now, peer_ids_[place]);
  }
  for (const std::size_t place : plan.changed) {
    const config::PeerConfig& peer = after.peers[place];
    const std::size_t before = *plan.peers[place];
    const engine::PeerId id = peer_ids_[before];
    engine_->ChangePeer(now, id, ToEnginePeer(peer));
    if (peer.endpoint != config_.peers[before].endpoint) {
      endpoint_resolvers_.erase(id);
      engine_->ForgetEndpoint(id);
      if (peer.endpoint) {
        ResolveEndpoint(id, *peer.endpoint);
      }
    }
  }
  std::vector<config::PeerConfig> peers;
  std::vector<engine::PeerId> ids;
  for (std::size_t place = 0; place < after.peers.size(); ++place) {
    config::PeerConfig& peer = after.peers[place];
    if (const auto before = plan.peers[place]) {
      ids.push_back(peer_ids_[*before]);
    } else if (const auto id = engine_->AddPeer(now, ToEnginePeer(peer))) {
      ids.push_back(*id);
      engine_->SetWanted(now, *id, true);
      if (peer.endpoint) {
        ResolveEndpoint(*id, *peer.endpoint);
      }
    } else {
      log::Warn("peer {} left out: its key is of no use", peer.name);
      continue;
    }
    peers.push_back(std::move(peer));
  }
  after.peers = std::move(peers);
  peer_ids_ = std::move(ids);
}

void Runtime::ApplyRendezvous(const config::Config& after, const ReloadPlan& plan) {
  const TimePoint now = uv::Loop::Now();
  for (const std::size_t place : plan.removed_rendezvous) {
    rendezvous_.erase(rendezvous_ids_[place]);
    engine_->RemoveRendezvous(now, rendezvous_ids_[place]);
  }
  const std::vector<engine::StreamId> before = std::exchange(rendezvous_ids_, {});
  for (std::size_t place = 0; place < after.rendezvous.size(); ++place) {
    if (const auto was = plan.rendezvous[place]) {
      rendezvous_ids_.push_back(before[*was]);
      continue;
    }
    const config::RendezvousUrl& url = after.rendezvous[place];
    TakeRendezvous(engine_->AddRendezvous(now, url.url), url.text);
  }
}

}  // namespace floe::daemon
