// Carries packets between the TUN device and the network, on two threads of its own or on the
// loop's: what tunnel/outbound.h and tunnel/inbound.h cannot, goes to the engine.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "app/floed/runtime/hand_over.h"
#include "app/floed/runtime/joined_writer.h"
#include "app/floed/runtime/underlay.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/uv/async.h"
#include "base/uv/loop.h"
#include "base/uv/poll.h"
#include "base/uv/timer.h"
#include "tun/device.h"
#include "tunnel/cipher.h"
#include "tunnel/forwarding.h"

namespace floe::daemon {

/// What was dropped on the way.
struct PathCounters {
  std::uint64_t malformed_read = 0;   // The kernel contradicted itself.
  std::uint64_t full_read_queue = 0;  // Read faster than sealed (tunnel/read_queue.h).
  std::uint64_t full_hand_over = 0;   // The loop had too much to do.
};

class PacketPath {
 public:
  /// On the loop's thread.
  struct Handlers {
    std::function<void(LeftOver)> on_left_over;
    std::function<void()> on_batch;     // After several of them.
    std::function<void()> on_activity;  // For Engine::HandleActivity.
  };

  enum class Threads : std::uint8_t { kNone, kTwo };

  /// What it works between and with. All of it outlives it.
  struct Parts {
    tun::Device& device;
    JoinedWriter& writer;
    Underlay& underlay;
    const tunnel::Cipher& cipher;
    tunnel::Forwarding& forwarding;
  };

  /// Begins at once.
  [[nodiscard]] static Result<std::unique_ptr<PacketPath>> Start(uv::Loop& loop, Parts parts,
                                                                 Threads threads,
                                                                 Handlers handlers);

  PacketPath(uv::Loop& loop, Parts parts, Handlers handlers);
  /// Waits for the threads to end.
  ~PacketPath();

  PacketPath(const PacketPath&) = delete;
  PacketPath& operator=(const PacketPath&) = delete;

  [[nodiscard]] PathCounters counters() const;

 private:
  class FromDevice;
  class FromNetwork;

  [[nodiscard]] Result<void> StartThreads();
  [[nodiscard]] Result<void> StartPolls();
  void NoteActivity();
  void HandleLeftOvers();

  uv::Loop& loop_;
  Handlers handlers_;
  std::atomic<bool> activity_{false};
  HandOver hand_over_;
  std::unique_ptr<FromDevice> from_device_;
  std::unique_ptr<FromNetwork> from_network_;
  uv::Async wake_;
  uv::Timer activity_timer_;
  UniqueFd stop_;  // Readable when the threads are to end.
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<uv::Poll>> polls_;
};

}  // namespace floe::daemon
