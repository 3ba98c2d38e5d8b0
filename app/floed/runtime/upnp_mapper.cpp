#include "app/floed/runtime/upnp_mapper.h"

#include <memory>
#include <utility>
#include <uv.h>

#include "base/log.h"

namespace floe::daemon {
namespace {

using std::chrono::minutes;

constexpr Duration kLookInterval = minutes(1);
constexpr Duration kRenewInterval = minutes(20);  // A lease is for an hour.
constexpr Duration kRest = minutes(10);           // When there is nobody to ask.

}  // namespace

/// All that the thread may touch.
struct UpnpMapper::Job {
  uv_work_t raw{};
  UpnpMapper* owner = nullptr;  // Null once nobody waits for it.
  ice::portmap::Gateway gateway;
  std::optional<Igd> igd;
  std::optional<SocketAddress> external;
  std::uint16_t port = 0;
  bool renew = false;

  static void Run(uv_work_t* raw) {
    Job& job = *static_cast<Job*>(raw->data);
    if (job.igd && job.external && !job.renew &&
        HasIgdMapping(*job.igd, job.gateway.internal, job.external->port)) {
      return;
    }
    job.external = job.igd ? AddIgdMapping(*job.igd, job.gateway.internal, job.port) : std::nullopt;
    if (!job.external) {  // A router that has restarted may take requests at another port.
      job.igd = FindIgd(job.gateway);
      job.external =
          job.igd ? AddIgdMapping(*job.igd, job.gateway.internal, job.port) : std::nullopt;
    }
    job.renew = true;  // It is as good as renewed.
  }

  static void OnDone(uv_work_t* raw, int /*status*/) {
    const std::unique_ptr<Job> job(static_cast<Job*>(raw->data));
    if (job->owner != nullptr) {
      job->owner->Finish(*job);
    } else if (job->igd && job->external) {
      DeleteIgdMapping(*job->igd, job->external->port);  // It came too late to be used.
    }
  }
};

UpnpMapper::UpnpMapper(uv::Loop& loop, OnChange on_change)
    : loop_(loop), on_change_(std::move(on_change)), timer_(loop, [this] { Begin(); }) {}

UpnpMapper::~UpnpMapper() {
  if (job_ != nullptr) {
    job_->owner = nullptr;
  }
}

void UpnpMapper::Start(const ice::portmap::Gateway& gateway) {
  if (gateway_ == gateway || !gateway.internal.ip.is_v4()) {
    return;
  }
  if (gateway_ && external_) {
    on_change_(gateway_->internal, std::nullopt);  // Of the router of another network.
  }
  gateway_ = gateway;
  igd_.reset();
  external_.reset();
  had_one_ = false;
  port_ = gateway.internal.port;
  Begin();
}

void UpnpMapper::Begin() {
  if (job_ != nullptr) {
    return;  // Finish() goes on.
  }
  auto job = std::make_unique<Job>();
  job->raw.data = job.get();
  job->owner = this;
  job->gateway = *gateway_;
  job->igd = igd_;
  job->external = external_;
  job->port = port_;
  job->renew = external_ && renew_ <= uv::Loop::Now();
  if (uv_queue_work(loop_.raw(), &job->raw, Job::Run, Job::OnDone) == 0) {
    job_ = job.release();  // OnDone() always comes, and frees it.
  }
}

void UpnpMapper::Finish(const Job& job) {
  job_ = nullptr;
  if (job.gateway != *gateway_) {
    Begin();
    return;
  }
  const TimePoint now = uv::Loop::Now();
  igd_ = job.igd;
  if (job.renew) {
    renew_ = now + kRenewInterval;
  }
  had_one_ = had_one_ || job.external;
  timer_.ArmAt(now + (had_one_ ? kLookInterval : kRest));
  if (external_ != job.external) {
    external_ = job.external;
    port_ = external_ ? external_->port : port_;
    log::Debug("UPnP: {}", external_ ? "a port is mapped" : "no port is mapped");
    on_change_(gateway_->internal, external_);
  }
}

void UpnpMapper::Stop() {
  if (igd_ && external_) {
    DeleteIgdMapping(*igd_, external_->port);
    external_.reset();
  }
  if (job_ != nullptr) {
    job_->owner = nullptr;  // OnDone() deletes what it may have made.
    job_ = nullptr;
  }
  gateway_.reset();
}

}  // namespace floe::daemon
