#include "base/uv/udp_offload_check.h"

#include <poll.h>
#include <vector>

namespace floe::uv {
namespace {

constexpr int kPatience = 100;            // milliseconds for what crosses no wire
constexpr std::size_t kDatagram = 1'300;  // bytes
constexpr std::size_t kBatch = 2 * kDatagram + 77;

using Datagrams = std::vector<std::vector<std::uint8_t>>;

/// A batch of three, of which the last is shorter.
std::vector<std::uint8_t> MakeBatch() {
  std::vector<std::uint8_t> batch(kBatch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  }
  return batch;
}

Datagrams Cut(Bytes batch) {
  Datagrams datagrams;
  for (; !batch.empty(); batch = batch.subspan(std::min(kDatagram, batch.size()))) {
    const Bytes datagram = batch.first(std::min(kDatagram, batch.size()));
    datagrams.emplace_back(datagram.begin(), datagram.end());
  }
  return datagrams;
}

enum class Outcome : std::uint8_t { kRight, kWrong, kRefused, kNoLoopback };

/// Sends one batch from a socket to another and compares what arrives.
Outcome Loop(UdpOffloads sender, UdpOffloads receiver) {
  const SocketAddress any{.ip = *ParseIpAddress("127.0.0.1"), .port = 0};
  auto from = UdpSocket::OpenAt(any);
  auto to = UdpSocket::OpenAt(any);
  if (!from || !to) {
    return Outcome::kNoLoopback;
  }
  from->SetOffloads(sender);
  to->SetOffloads(receiver);
  if (to->offloads() != receiver) {
    return Outcome::kRefused;
  }
  const std::vector<std::uint8_t> batch = MakeBatch();
  if (from->SendTogether(any, {any.ip, to->port()}, batch, kDatagram) != SendResult::kSent) {
    return Outcome::kNoLoopback;
  }
  if (from->offloads() != sender) {
    return Outcome::kRefused;
  }
  const Datagrams expected = Cut(batch);
  Datagrams received;
  pollfd waiting{.fd = to->fd(), .events = POLLIN, .revents = 0};
  while (received.size() < expected.size() && poll(&waiting, 1, kPatience) == 1) {
    to->Receive([&](const SocketAddress&, const SocketAddress&, Bytes datagram,
                    std::uint8_t) { received.emplace_back(datagram.begin(), datagram.end()); },
                /*max_batches=*/1);
  }
  return received == expected ? Outcome::kRight : Outcome::kWrong;
}

std::string Explain(Outcome outcome) {
  switch (outcome) {
    case Outcome::kRight:
    case Outcome::kNoLoopback:
      return "";
    case Outcome::kWrong:
      return "other datagrams came out of the loopback interface than went in";
    case Outcome::kRefused:
      return "the kernel refuses it";
  }
  return "";
}

}  // namespace

UdpOffloadReport CheckUdpOffloads(UdpOffloads wanted) {
  constexpr UdpOffloads kNone{.segment = false, .gro = false};
  UdpOffloadReport report{.usable = wanted, .segment = "", .gro = ""};
  if (Loop(kNone, kNone) != Outcome::kRight) {
    return report;
  }
  if (wanted.segment) {
    report.segment = Explain(Loop({.segment = true, .gro = false}, kNone));
    report.usable.segment = report.segment.empty();
  }
  if (wanted.gro) {
    // What is sent one by one over the loopback interface also arrives so, but is no less a test.
    report.gro = Explain(
        Loop({.segment = report.usable.segment, .gro = false}, {.segment = false, .gro = true}));
    report.usable.gro = report.gro.empty();
  }
  return report;
}

}  // namespace floe::uv
