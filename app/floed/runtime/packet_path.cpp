#include "app/floed/runtime/packet_path.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <poll.h>
#include <pthread.h>
#include <span>
#include <string>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/log.h"
#include "tunnel/inbound.h"
#include "tunnel/outbound.h"
#include "tunnel/read_queue.h"

namespace floe::daemon {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxReads = 64;               // From the device before it is the network's turn.
constexpr std::size_t kMaxBatches = 8;      // From a socket, likewise.
constexpr std::size_t kMaxLeftOvers = 256;  // Before the loop's other work has its turn.

// The timers of the tunnel count seconds, those of paths half a second at least.
constexpr Duration kActivityDelay = milliseconds(100);
// While a way cannot be taken, or not by what is so large, this often is enough to say so.
constexpr Duration kComplaintInterval = milliseconds(100);

/// Calls `work` whenever one of `fds` can be read, until `stop` can.
template <typename Work>
void RunUntil(int stop, std::span<const int> fds, Work work) {
  std::array<pollfd, 4> polled{};
  polled[0] = {.fd = stop, .events = POLLIN, .revents = 0};
  std::ranges::transform(fds, polled.begin() + 1,
                         [](int fd) { return pollfd{.fd = fd, .events = POLLIN, .revents = 0}; });
  while (true) {
    const int ready = poll(polled.data(), fds.size() + 1, /*timeout=*/-1);
    if (ready < 0 && errno != EINTR) {
      return;
    }
    if (polled[0].revents != 0) {
      return;
    }
    for (std::size_t i = 1; ready > 0 && i <= fds.size(); ++i) {
      if (polled[i].revents != 0 && !work(i - 1)) {
        return;
      }
    }
  }
}

/// Signals are the loop's.
template <typename Work>
std::thread StartThread(const char* name, Work work) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(work));
  pthread_setname_np(thread.native_handle(), name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

class PacketPath::FromDevice final : public tunnel::OutboundSink {
 public:
  FromDevice(PacketPath& owner, Parts parts)
      : owner_(owner), parts_(parts), outbound_(parts.cipher, parts.forwarding, *this) {
    static_assert(tunnel::Outbound::kMaxDatagrams <= uv::UdpSocket::kMaxSegments);
    static_assert(tunnel::Outbound::kMaxBytes <= uv::UdpSocket::kMaxTogether);
    static_assert(tunnel::ReadQueue::kMaxRead >= tun::Device::kMaxRead);
  }

  [[nodiscard]] int fd() const { return parts_.device.poll_fd(); }

  [[nodiscard]] std::uint64_t malformed() const { return outbound_.malformed(); }

  [[nodiscard]] std::uint64_t dropped() const { return queue_.dropped(); }

  /// Reads what is there, again between any two large packets. False if the device is gone.
  bool Work() {
    for (int i = 0;; ++i) {
      now_ = uv::Loop::Now();
      if (i < kMaxReads && !Read()) {
        return false;
      }
      const auto next = queue_.Next();
      if (!next) {
        break;
      }
      outbound_.HandleRead(now_, *next);
    }
    outbound_.Flush();
    return true;
  }

  void Send(const tunnel::UdpWay& way, std::uint8_t tos, Bytes datagrams,
            std::size_t size) override {
    const uv::SendResult result =
        parts_.underlay.SendNow(way.local, way.remote, tos, datagrams, size);
    const bool is_too_big = result == uv::SendResult::kTooBig;
    if ((result != uv::SendResult::kUnreachable && !is_too_big) || now_ < next_complaint_) {
      return;
    }
    next_complaint_ = now_ + kComplaintInterval;
    if (!is_too_big) {
      owner_.hand_over_.Push(UnreachableWay{way.local, way.remote});
    } else if (const auto narrow = parts_.underlay.Measure(way.local, way.remote)) {
      owner_.hand_over_.Push(*narrow);
    }
  }

  void HandOver(Bytes packet) override {
    owner_.hand_over_.Push(DevicePacket{{packet.begin(), packet.end()}});
  }

  void NoteActivity() override { owner_.NoteActivity(); }

 private:
  bool Read() {
    for (int i = 0; i < kMaxReads; ++i) {
      const auto size = parts_.device.Read(queue_.buffer());
      if (!size) {
        owner_.hand_over_.Push(size.error());
        return false;
      }
      if (!*size) {
        break;
      }
      if (const auto read = queue_.Add(**size)) {
        outbound_.HandleRead(now_, *read);
      }
    }
    return true;
  }

  PacketPath& owner_;
  Parts parts_;
  tunnel::ReadQueue queue_;
  tunnel::Outbound outbound_;
  TimePoint now_;
  TimePoint next_complaint_;
};

class PacketPath::FromNetwork final : public tunnel::InboundSink {
 public:
  FromNetwork(PacketPath& owner, Parts parts)
      : owner_(owner),
        parts_(parts),
        inbound_(parts.cipher, parts.forwarding, parts.writer.joinable(), *this) {
    static_assert(uv::UdpSocket::kRoomInFront >= tunnel::kCipherHeadroom);
    static_assert(uv::UdpSocket::kRoomBehind >= tunnel::kCipherSlack);
  }

  [[nodiscard]] std::vector<int> fds() const {
    std::vector<int> fds;
    for (const uv::UdpSocket* socket : parts_.underlay.sockets()) {
      fds.push_back(socket->fd());
    }
    return fds;
  }

  /// Receives what is there. False if the device is gone.
  bool Work(std::size_t socket) {
    for (std::size_t i = 0; i < kMaxBatches && !failed_; ++i) {
      now_ = uv::Loop::Now();
      const std::size_t received =
          parts_.underlay.sockets()[socket]->ReceiveTogether(on_datagrams_, /*max_batches=*/1);
      if (received < uv::UdpSocket::kBatch) {
        break;
      }
    }
    inbound_.Flush();
    return !failed_;
  }

  tunnel::Joinable Write(const tunnel::Coalescer::Group& group) override {
    if (const auto written = parts_.writer.Write(group); !written && !failed_) {
      failed_ = true;
      owner_.hand_over_.Push(written.error());
    }
    return parts_.writer.joinable();
  }

  void HandOver(const SocketAddress& local, const SocketAddress& remote, Bytes datagram,
                std::uint8_t tos) override {
    owner_.hand_over_.Push(
        ReceivedDatagram{local, remote, tos, {datagram.begin(), datagram.end()}});
  }

  void HandOverPacket(tunnel::PeerId peer, Bytes packet) override {
    owner_.hand_over_.Push(PeersPacket{peer, {packet.begin(), packet.end()}});
  }

  void NoteActivity() override { owner_.NoteActivity(); }

 private:
  PacketPath& owner_;
  Parts parts_;
  tunnel::Inbound inbound_;
  const uv::UdpSocket::OnDatagrams on_datagrams_ =
      [this](const SocketAddress& local, const SocketAddress& remote, Bytes datagrams,
             std::size_t size, std::uint8_t tos) {
        inbound_.HandleDatagrams(now_, local, remote, datagrams, size, tos);
      };
  TimePoint now_;
  bool failed_ = false;
};

Result<std::unique_ptr<PacketPath>> PacketPath::Start(uv::Loop& loop, Parts parts, Threads threads,
                                                      Handlers handlers) {
  auto path = std::make_unique<PacketPath>(loop, parts, std::move(handlers));
  auto started = threads == Threads::kTwo ? path->StartThreads() : path->StartPolls();
  if (!started) {
    return Fail(std::move(started.error()));
  }
  return path;
}

PacketPath::PacketPath(uv::Loop& loop, Parts parts, Handlers handlers)
    : loop_(loop),
      handlers_(std::move(handlers)),
      hand_over_([this] { wake_.Send(); }),
      from_device_(std::make_unique<FromDevice>(*this, parts)),
      from_network_(std::make_unique<FromNetwork>(*this, parts)),
      wake_(loop, [this] { HandleLeftOvers(); }),
      activity_timer_(loop, [this] { handlers_.on_activity(); }) {}

PacketPath::~PacketPath() {
  if (stop_) {
    constexpr std::uint64_t kOne = 1;
    // It can fail only if it has been written to 2^64 times.
    static_cast<void>(write(stop_.get(), &kOne, sizeof(kOne)) == sizeof(kOne));
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

Result<void> PacketPath::StartThreads() {
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_) {
    return Fail(Error{{errno, std::system_category()}, "eventfd"});
  }
  threads_.push_back(StartThread("floe-out", [this] {
    RunUntil(stop_.get(), std::array{from_device_->fd()},
             [this](std::size_t /*index*/) { return from_device_->Work(); });
  }));
  threads_.push_back(StartThread("floe-in", [this, fds = from_network_->fds()] {
    RunUntil(stop_.get(), fds, [this](std::size_t index) { return from_network_->Work(index); });
  }));
  return {};
}

Result<void> PacketPath::StartPolls() {
  const auto watch = [this](int fd, auto work) -> Result<void> {
    auto poll = uv::Poll::Make(loop_, fd, [this, work, place = polls_.size()] {
      if (!work()) {
        polls_[place]->Watch(uv::Interest::kNone);
      }
      HandleLeftOvers();
    });
    if (!poll) {
      return Fail(std::move(poll.error()));
    }
    polls_.push_back(std::move(*poll));
    polls_.back()->Watch(uv::Interest::kReadable);
    return {};
  };
  Result<void> result = watch(from_device_->fd(), [this] { return from_device_->Work(); });
  const std::vector<int> fds = from_network_->fds();
  for (std::size_t i = 0; i < fds.size() && result; ++i) {
    result = watch(fds[i], [this, i] { return from_network_->Work(i); });
  }
  return result;
}

PathCounters PacketPath::counters() const {
  return {.malformed_read = from_device_->malformed(),
          .full_read_queue = from_device_->dropped(),
          .full_hand_over = hand_over_.dropped()};
}

void PacketPath::NoteActivity() {
  activity_.store(true);
  wake_.Send();
}

void PacketPath::HandleLeftOvers() {
  if (activity_.exchange(false)) {
    activity_timer_.ArmAt(uv::Loop::Now() + kActivityDelay);
  }
  for (std::size_t i = 0; i < kMaxLeftOvers; ++i) {
    auto left_over = hand_over_.Poll();
    if (!left_over) {
      handlers_.on_batch();
      return;
    }
    handlers_.on_left_over(std::move(*left_over));
  }
  handlers_.on_batch();
  wake_.Send();
}

}  // namespace floe::daemon
