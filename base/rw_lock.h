// A lock for many readers or one writer, where a writer that waits goes before readers that come.
//
// Source: pthread_rwlockattr_setkind_np(3). std::shared_mutex lets readers that take turns keep a
// writer out for ever.

#pragma once

#include <pthread.h>

#include "base/check.h"

namespace floe {

/// For std::shared_lock and std::unique_lock. Not recursive, not even for readers.
class RwLock {
 public:
  RwLock() {
    pthread_rwlockattr_t attributes;
    FLOE_CHECK(pthread_rwlockattr_init(&attributes) == 0);
    FLOE_CHECK(pthread_rwlockattr_setkind_np(&attributes,
                                             PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    FLOE_CHECK(pthread_rwlock_init(&lock_, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
  }

  ~RwLock() { pthread_rwlock_destroy(&lock_); }

  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  void lock() { FLOE_CHECK(pthread_rwlock_wrlock(&lock_) == 0); }

  void unlock() { pthread_rwlock_unlock(&lock_); }

  void lock_shared() { FLOE_CHECK(pthread_rwlock_rdlock(&lock_) == 0); }

  void unlock_shared() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace floe
