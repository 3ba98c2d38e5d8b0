#include "app/floed/runtime/upnp_mapper.h"

#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <utility>

#include "app/floed/runtime/igd.h"
#include "base/log.h"

namespace floe::daemon {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kLookInterval = minutes(1);
constexpr Duration kRenewInterval = minutes(20);  // A lease is for an hour.
constexpr Duration kRest = minutes(10);           // When there is nobody to ask.
constexpr Duration kPatience = seconds(1);        // Of who ends, with a request under way.

}  // namespace

/// What is known of a router, and what it does for us.
struct UpnpMapper::Lease {
  ice::portmap::Gateway gateway;
  std::optional<Igd> igd;
  std::optional<SocketAddress> external;  // While mapped.
  std::string pinhole;                    // For IPv6, its name.
  std::uint16_t port = 0;                 // The external one that was had last.

  [[nodiscard]] bool is_v6() const { return gateway.internal.ip.is_v6(); }

  /// Whether the router still does it. A pinhole is renewed by the question.
  [[nodiscard]] bool Holds() const {
    return is_v6() ? RenewIgdPinhole(*igd, pinhole)
                   : HasIgdMapping(*igd, gateway.internal, external->port);
  }

  void Find() { igd = is_v6() ? FindIgdFirewall(gateway) : FindIgd(gateway); }

  void Add() {
    external.reset();
    if (!is_v6()) {
      external = AddIgdMapping(*igd, gateway.internal, port);
      port = external ? external->port : port;
    } else if (auto added = AddIgdPinhole(*igd, gateway.internal)) {
      pinhole = std::move(*added);
      external = gateway.internal;
    }
  }

  void Delete() const {
    is_v6() ? DeleteIgdPinhole(*igd, pinhole) : DeleteIgdMapping(*igd, external->port);
  }
};

/// All that a thread may touch. What it works on is the thread's until it is done.
struct UpnpMapper::Job {
  enum class Kind : std::uint8_t { kKeep, kDelete };

  Kind kind = Kind::kKeep;
  Lease lease;
  bool renew = false;

  std::mutex mutex;  // Guards what follows.
  std::condition_variable changed;
  uv::Async* wake = nullptr;  // Null once nobody waits for it.
  bool asking = false;        // A request is under way that leaves something at the router.
  bool done = false;

  /// Runs it on a thread that nobody joins. False if there can be none.
  [[nodiscard]] static bool Start(const std::shared_ptr<Job>& job) {
    auto owned = std::make_unique<std::shared_ptr<Job>>(job);
    pthread_t thread{};
    const auto run = [](void* raw) -> void* {
      const std::unique_ptr<std::shared_ptr<Job>> mine(static_cast<std::shared_ptr<Job>*>(raw));
      (*mine)->Run();
      return nullptr;
    };
    if (pthread_create(&thread, nullptr, run, owned.get()) != 0) {
      return false;
    }
    static_cast<void>(owned.release());
    pthread_detach(thread);
    return true;
  }

  void Run() {
    kind == Kind::kKeep ? Keep() : lease.Delete();
    std::unique_lock lock(mutex);
    if (kind == Kind::kKeep && wake == nullptr && lease.external) {
      lock.unlock();
      lease.Delete();  // It came too late to be used.
      lease.external.reset();
      lock.lock();
    }
    done = true;
    if (wake != nullptr) {
      wake->Send();
    }
    changed.notify_all();
  }

  void Keep() {
    const bool had = lease.igd && lease.external;
    if (had && (!renew || lease.is_v6()) && lease.Holds()) {
      return;
    }
    renew = true;                // It will be as good as renewed.
    if (!lease.igd || !Ask()) {  // A router that has restarted may take requests at another port.
      lease.external.reset();
      lease.Find();
      static_cast<void>(lease.igd && Ask());
    }
  }

  /// Returns whether the router does it from here on. Not begun once nobody waits for it.
  bool Ask() {
    {
      const std::lock_guard lock(mutex);
      if (wake == nullptr) {
        return false;
      }
      asking = true;
    }
    lease.Add();
    if (lease.external) {
      return true;  // Still asking, until somebody has been told.
    }
    const std::lock_guard lock(mutex);
    asking = false;
    changed.notify_all();
    return false;
  }
};

UpnpMapper::UpnpMapper(uv::Loop& loop, const ice::portmap::Gateway& gateway, OnChange on_change)
    : gateway_(gateway),
      on_change_(std::move(on_change)),
      timer_(loop, [this] { Begin(); }),
      wake_(loop, [this] { Finish(); }),
      lease_(std::make_unique<Lease>(Lease{.gateway = gateway, .port = gateway.internal.port})) {
  Begin();
}

UpnpMapper::~UpnpMapper() {
  Abandon();
}

void UpnpMapper::Begin() {
  const auto job = std::make_shared<Job>();
  job->lease = *lease_;
  job->renew = lease_->external && renew_ <= uv::Loop::Now();
  job->wake = &wake_;
  if (Job::Start(job)) {
    job_ = job;
  } else {
    timer_.ArmAt(uv::Loop::Now() + kRest);
  }
}

void UpnpMapper::Finish() {
  if (job_ == nullptr) {
    return;  // Abandoned since.
  }
  const TimePoint now = uv::Loop::Now();
  const auto before = lease_->external;
  {
    const std::lock_guard lock(job_->mutex);
    *lease_ = job_->lease;
    renew_ = job_->renew ? now + kRenewInterval : renew_;
  }
  job_.reset();
  had_one_ = had_one_ || lease_->external;
  timer_.ArmAt(now + (had_one_ ? kLookInterval : kRest));
  if (before != lease_->external) {
    log::Debug("UPnP: {}", lease_->external ? "a port is mapped" : "no port is mapped");
    on_change_(lease_->external);
  }
}

void UpnpMapper::Abandon() {
  if (job_ == nullptr) {
    return;
  }
  {
    std::unique_lock lock(job_->mutex);
    job_->wake = nullptr;
    job_->changed.wait_for(lock, kPatience, [this] { return !job_->asking || job_->done; });
    if (job_->done) {
      *lease_ = job_->lease;  // Finish() has not come for it.
    }
  }
  job_.reset();
}

void UpnpMapper::Stop() {
  timer_.ArmAt(std::nullopt);
  Abandon();
  if (!lease_->external) {
    return;
  }
  const auto job = std::make_shared<Job>();
  job->kind = Job::Kind::kDelete;
  job->lease = *lease_;
  lease_->external.reset();
  if (Job::Start(job)) {
    std::unique_lock lock(job->mutex);
    job->changed.wait_for(lock, kPatience, [&] { return job->done; });
  }
}

}  // namespace floe::daemon
