// floe ping: how long a packet takes to a peer and back, and by which way it goes.

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <optional>
#include <ostream>
#include <utility>

#include "app/floe/commands.h"
#include "app/floe/daemon.h"

namespace floe::cli {
namespace {

using control::ExitCode;
using control::PathKind;
using std::chrono::milliseconds;

// The daemon ends the series itself; if it does not, it hangs.
constexpr std::chrono::seconds kGrace{2};
// The daemon's clock and ours may disagree by a tick about when the time is up.
constexpr milliseconds kTick{50};

TimePoint Now() {
  return std::chrono::steady_clock::now();
}

/// Prints the replies to one ping request as they come, and sums them up.
class PingSession {
 public:
  PingSession(const CommandLine& line, Streams streams)
      : line_(line), streams_(streams), start_(Now()) {}

  [[nodiscard]] ExitCode Run();

 private:
  [[nodiscard]] Result<control::SummaryReply, Failure> Exchange();
  void PrintPong(const control::PongReply& pong);
  void PrintSummary(const control::SummaryReply& summary);
  void Print(const control::Reply& reply);
  [[nodiscard]] ExitCode Judge(const control::SummaryReply& summary) const;

  const CommandLine& line_;
  Streams streams_;
  TimePoint start_;
  std::optional<PathKind> last_kind_;
  bool direct_ = false;
};

void PingSession::PrintPong(const control::PongReply& pong) {
  const bool upgraded = last_kind_ == PathKind::kRelay && pong.kind == PathKind::kDirect;
  last_kind_ = pong.kind;
  direct_ = direct_ || pong.kind == PathKind::kDirect;
  if (line_.output == Output::kJson) {
    return;
  }
  streams_.out << fmt::format("{}: {:<40} {:>6.1f} ms", pong.seq, pong.via, pong.rtt_ms);
  if (upgraded) {
    const std::chrono::duration<double> elapsed = Now() - start_;
    streams_.out << fmt::format("   <- path upgraded after {:.1f} s", elapsed.count());
  }
  streams_.out << '\n';
}

void PingSession::PrintSummary(const control::SummaryReply& summary) {
  const std::uint32_t lost = summary.sent - std::min(summary.sent, summary.received);
  const double percent = summary.sent == 0 ? 0 : 100.0 * lost / summary.sent;
  streams_.out << fmt::format("{} sent, {} received, {:.0f}% loss", summary.sent, summary.received,
                              percent);
  if (summary.min_ms && summary.avg_ms && summary.max_ms) {
    streams_.out << fmt::format(", min/avg/max {:.1f}/{:.1f}/{:.1f} ms", *summary.min_ms,
                                *summary.avg_ms, *summary.max_ms);
  }
  streams_.out << '\n';
}

void PingSession::Print(const control::Reply& reply) {
  if (const auto* pong = std::get_if<control::PongReply>(&reply)) {
    PrintPong(*pong);
  }
  if (line_.output == Output::kJson) {
    streams_.out << R"({"schema":"floe.ping/1",)" << Serialize(reply).substr(1) << '\n';
  } else if (const auto* timeout = std::get_if<control::TimeoutReply>(&reply)) {
    streams_.out << timeout->seq << ": no answer\n";
  } else if (const auto* summary = std::get_if<control::SummaryReply>(&reply)) {
    PrintSummary(*summary);
  }
  streams_.out.flush();
}

Result<control::SummaryReply, Failure> PingSession::Exchange() {
  const control::PingRequest request = {
      .peer = line_.peers.front(),
      .count = line_.count,
      .interval = std::chrono::ceil<milliseconds>(line_.interval),
      .timeout = std::chrono::ceil<milliseconds>(line_.timeout),
      .until_direct = line_.until_direct,
  };
  const TimePoint deadline = start_ + line_.timeout + kGrace;
  auto client = control::Client::Connect(line_.socket);
  if (!client) {
    return Fail(ToFailure(client.error()));
  }
  if (const auto sent = client->Send(request, deadline); !sent) {
    return Fail(ToFailure(sent.error()));
  }
  while (true) {
    const auto reply = client->Receive(deadline);
    if (!reply) {
      return Fail(ToFailure(reply.error()));
    }
    if (const auto* error = std::get_if<control::ErrorReply>(&*reply)) {
      return Fail(Failure{error->code, error->error});
    }
    Print(*reply);
    if (const auto* summary = std::get_if<control::SummaryReply>(&*reply)) {
      return *summary;
    }
    if (control::IsLast(*reply)) {
      return Fail(Failure{ExitCode::kNo, "floed answered something else than a ping"});
    }
  }
}

ExitCode PingSession::Judge(const control::SummaryReply& summary) const {
  if (line_.until_direct ? direct_ : summary.received > 0) {
    return ExitCode::kDone;
  }
  if (line_.until_direct && summary.received > 0) {
    streams_.err << "floe: no direct path to " << line_.peers.front() << '\n';
  }
  const bool time_is_up = line_.timeout_given && Now() - start_ + kTick >= line_.timeout;
  return time_is_up ? ExitCode::kTimedOut : ExitCode::kNo;
}

ExitCode PingSession::Run() {
  const auto summary = Exchange();
  return summary ? Judge(*summary) : Report(streams_.err, summary.error());
}

}  // namespace

ExitCode RunPing(const CommandLine& line, Streams streams) {
  return PingSession(line, streams).Run();
}

}  // namespace floe::cli
