#include "tests/tools/floe_ice/session.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <map>

#include "ice/stun/attributes.h"
#include "ice/stun/builder.h"
#include "tests/support/fake_random.h"

namespace floe::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Lines = std::vector<std::string>;

constexpr Duration kLatency = milliseconds(10);

SocketAddress At(const char* ip, std::uint16_t port) {
  return {*ParseIpAddress(ip), port};
}

/// The value of the last line that begins with `word`.
std::string Last(const Lines& lines, const std::string& word) {
  const auto found =
      std::ranges::find_if(lines.rbegin(), lines.rend(),
                           [&](const std::string& line) { return line.starts_with(word + ' '); });
  return found == lines.rend() ? "" : found->substr(word.size() + 1);
}

std::ptrdiff_t Count(const Lines& lines, const std::string& word) {
  return std::ranges::count_if(lines,
                               [&](const std::string& line) { return line.starts_with(word); });
}

/// Two sessions on one network in virtual time, which are told each other's lines.
class FloeIceSessionTest : public ::testing::Test {
 protected:
  struct End {
    explicit End(std::uint64_t seed, ice::Role role, SocketAddress at)
        : random(seed), address(at), session({}, {.role = role}, random) {}

    test::FakeRandom random;
    SocketAddress address;
    Session session;
    Lines lines;
    std::size_t told = 0;  // How many of the lines the other end was told.
  };

  /// Tells each what the other has printed since the last time.
  void Introduce() {
    Tell(a_, b_);
    Tell(b_, a_);
  }

  void Tell(End& from, End& to) {
    Collect(from);
    while (from.told < from.lines.size()) {
      const std::string line = from.lines[from.told++];
      if (line.starts_with("ufrag") || line.starts_with("pwd") || line.starts_with("candidate") ||
          line.starts_with("end-of")) {
        to.session.HandleLine(now_, line);
        Collect(to);
      }
    }
  }

  void Start() {
    for (End* end : {&a_, &b_}) {
      end->session.SetServers(now_, {}, {}, /*more=*/false);
      end->session.SetLocalAddresses(now_, {end->address});
      Collect(*end);
    }
  }

  /// Lines out, datagrams onto the network.
  void Collect(End& end) {
    while (auto line = end.session.PollLine()) {
      end.lines.push_back(std::move(*line));
    }
    while (auto transmit = end.session.PollTransmit()) {
      flying_.emplace(now_ + kLatency, std::move(*transmit));
    }
  }

  void Run(Duration time) {
    const TimePoint end = now_ + time;
    for (;;) {
      TimePoint next = end;
      if (!flying_.empty()) {
        next = std::min(next, flying_.begin()->first);
      }
      for (End* each : {&a_, &b_}) {
        next = std::min(next, each->session.NextTimeout().value_or(end));
      }
      now_ = std::max(now_, next);
      if (next >= end) {
        return;
      }
      Step();
    }
  }

  void Step() {
    while (!flying_.empty() && flying_.begin()->first <= now_) {
      const ice::Transmit transmit = std::move(flying_.extract(flying_.begin()).mapped());
      for (End* end : {&a_, &b_}) {
        if (end->address == transmit.remote) {
          end->session.HandleDatagram(now_, transmit.remote, transmit.local, transmit.payload);
          Collect(*end);
        }
      }
    }
    for (End* end : {&a_, &b_}) {
      if (const auto next = end->session.NextTimeout(); next && *next <= now_) {
        end->session.HandleTimeout(now_);
        Collect(*end);
      }
    }
  }

  /// Sends both ways and expects both to arrive, and nothing else.
  void ExpectData(const std::string& hex) {
    const auto before_a = Count(a_.lines, "recv");
    const auto before_b = Count(b_.lines, "recv");
    a_.session.HandleLine(now_, "send " + hex);
    b_.session.HandleLine(now_, "send " + hex);
    Collect(a_);
    Collect(b_);
    Run(milliseconds(50));
    EXPECT_EQ(Last(a_.lines, "recv"), hex);
    EXPECT_EQ(Last(b_.lines, "recv"), hex);
    EXPECT_EQ(Count(a_.lines, "recv"), before_a + 1);
    EXPECT_EQ(Count(b_.lines, "recv"), before_b + 1);
  }

  TimePoint now_;
  std::multimap<TimePoint, ice::Transmit> flying_;
  End a_{1, ice::Role::kControlling, At("192.0.2.1", 1000)};
  End b_{2, ice::Role::kControlled, At("192.0.2.2", 2000)};
};

TEST_F(FloeIceSessionTest, SaysItsCredentialsFirst) {
  Collect(a_);
  ASSERT_EQ(a_.lines.size(), 2U);
  EXPECT_TRUE(a_.lines[0].starts_with("ufrag "));
  EXPECT_TRUE(a_.lines[1].starts_with("pwd "));

  Start();

  ASSERT_EQ(a_.lines.size(), 4U);
  EXPECT_TRUE(a_.lines[2].starts_with("candidate candidate:"));
  EXPECT_TRUE(a_.lines[2].ends_with(" 192.0.2.1 1000 typ host"));
  EXPECT_EQ(a_.lines[3], "end-of-candidates");
}

TEST_F(FloeIceSessionTest, ConnectsAndCarriesData) {
  Start();
  Introduce();
  Run(seconds(2));

  for (const End* end : {&a_, &b_}) {
    const auto at = [&](const std::string& line) {
      return std::ranges::find(end->lines, line) - end->lines.begin();
    };
    EXPECT_LT(at("state checking"), at("state connected"));
    EXPECT_LT(at("state connected"), at("state completed"));
    EXPECT_LT(at("state completed"), std::ssize(end->lines));
  }
  EXPECT_EQ(Last(a_.lines, "selected"),
            Last(a_.lines, "candidate") + " | " + Last(b_.lines, "candidate"));
  ExpectData("00ff10");
}

TEST_F(FloeIceSessionTest, TakesCandidatesBeforeCredentials) {
  Start();
  b_.session.HandleLine(now_, "candidate " + Last(a_.lines, "candidate"));
  b_.session.HandleLine(now_, "end-of-candidates");
  b_.session.HandleLine(now_, "pwd " + Last(a_.lines, "pwd"));
  b_.session.HandleLine(now_, "ufrag " + Last(a_.lines, "ufrag"));
  a_.told = a_.lines.size();
  Tell(b_, a_);
  Run(seconds(2));

  ExpectData("01");
}

TEST_F(FloeIceSessionTest, TakesACandidateThatNamesAUfragYetToCome) {
  Start();
  const std::string ufrag = Last(a_.lines, "ufrag");
  b_.session.HandleLine(now_, "candidate " + Last(a_.lines, "candidate") + " ufrag " + ufrag);
  b_.session.HandleLine(now_, "candidate " + Last(a_.lines, "candidate") + " ufrag other");
  EXPECT_FALSE(b_.session.PollComplaint());
  b_.session.HandleLine(now_, "ufrag " + ufrag);
  b_.session.HandleLine(now_, "pwd " + Last(a_.lines, "pwd"));
  Run(kLatency / 2);

  EXPECT_FALSE(flying_.empty());
}

TEST_F(FloeIceSessionTest, AsksForNamesOfTheLocalNetwork) {
  Start();
  b_.session.HandleLine(now_, "ufrag " + Last(a_.lines, "ufrag"));
  b_.session.HandleLine(now_, "pwd " + Last(a_.lines, "pwd"));
  b_.session.HandleLine(now_, "candidate candidate:1 1 UDP 2113937151 peer.local 1000 typ host");
  auto answer = b_.session.PollMdnsQuery();
  ASSERT_TRUE(answer);
  (*answer)[2] = 0x84;  // A response,
  (*answer)[7] = 1;     // with one answer to both questions: 192.0.2.1.
  const std::vector<std::uint8_t> record{0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1};
  answer->insert(answer->end(), record.begin(), record.end());
  b_.session.HandleMdns(now_, *answer);
  Run(seconds(2));  // a_ knows nothing of b_, and answers all the same.

  EXPECT_NE(
      Last(b_.lines, "selected").find("| candidate:1 1 UDP 2113937151 192.0.2.1 1000 typ host"),
      std::string::npos);

  b_.session.HandleLine(now_, "candidate candidate:1 1 UDP 1 host.example 1000 typ host");
  EXPECT_TRUE(b_.session.PollComplaint());
}

TEST_F(FloeIceSessionTest, NeverConnectsWithAWrongPassword) {
  Start();
  Tell(b_, a_);
  b_.session.HandleLine(now_, "ufrag " + Last(a_.lines, "ufrag"));
  b_.session.HandleLine(now_, "pwd 0123456789012345678901");
  b_.session.HandleLine(now_, "candidate " + Last(a_.lines, "candidate"));
  b_.session.HandleLine(now_, "end-of-candidates");
  Collect(b_);
  Run(seconds(60));

  EXPECT_EQ(Last(b_.lines, "state"), "failed");
  EXPECT_EQ(Count(b_.lines, "state connected"), 0);
  EXPECT_EQ(Count(b_.lines, "selected"), 0);
}

TEST_F(FloeIceSessionTest, DataGoesOnWhileItRestarts) {
  Start();
  Introduce();
  Run(seconds(2));
  const std::string ufrag = Last(a_.lines, "ufrag");
  const auto selections = Count(a_.lines, "selected");

  a_.session.HandleLine(now_, "restart");
  Collect(a_);
  EXPECT_NE(Last(a_.lines, "ufrag"), ufrag);
  EXPECT_EQ(a_.lines.back(), "end-of-candidates");
  ExpectData("a1");  // The peer has not heard of it.
  Introduce();
  Introduce();
  ExpectData("a2");
  Run(seconds(2));

  EXPECT_EQ(Count(a_.lines, "ufrag"), 2);
  EXPECT_EQ(Count(b_.lines, "ufrag"), 2);
  EXPECT_GT(Count(a_.lines, "selected"), selections);
  EXPECT_EQ(Last(a_.lines, "state"), "completed");
  EXPECT_EQ(Last(b_.lines, "state"), "completed");
  ExpectData("a3");
}

TEST_F(FloeIceSessionTest, BothMayBeToldToRestartInAnyOrder) {
  Start();
  Introduce();
  Run(seconds(2));

  a_.session.HandleLine(now_, "restart");
  Tell(a_, b_);  // Opens a generation at b_, which then is told to restart as well.
  b_.session.HandleLine(now_, "restart");
  Introduce();
  Introduce();
  Run(seconds(2));
  ExpectData("b1");
  EXPECT_EQ(Last(a_.lines, "state"), "completed");

  Run(seconds(5));
  a_.session.HandleLine(now_, "restart");
  b_.session.HandleLine(now_, "restart");
  Introduce();
  Introduce();
  Run(seconds(2));
  ExpectData("b2");
  EXPECT_EQ(Last(a_.lines, "state"), "completed");
  EXPECT_EQ(Last(b_.lines, "state"), "completed");
}

TEST_F(FloeIceSessionTest, ARestartBeforeThereWasAPathSettles) {
  Start();
  Introduce();
  a_.session.HandleLine(now_, "restart");
  for (int i = 0; i < 4; ++i) {
    Introduce();
  }
  EXPECT_LE(Count(b_.lines, "ufrag"), 2);
  Run(seconds(3));

  ExpectData("c1");
}

TEST_F(FloeIceSessionTest, TheOldGenerationIsAnsweredForThirtySeconds) {
  Start();
  Introduce();
  Run(seconds(2));
  a_.session.HandleLine(now_, "restart");
  Tell(a_, b_);
  Tell(b_, a_);
  const std::string old_ufrag = a_.lines[0].substr(6);
  const std::string old_password = a_.lines[1].substr(4);
  const auto answered = [&] {
    ice::stun::Builder builder(ice::stun::Class::kRequest, ice::stun::Method::kBinding,
                               ice::stun::NewTransactionId(a_.random));
    builder.AddText(ice::stun::AttributeType::kUsername, old_ufrag + ":peer")
        .AddU32(ice::stun::AttributeType::kPriority, 1)
        .AddU64(ice::stun::AttributeType::kIceControlled, 7)
        .AddIntegrity(AsBytes(old_password))
        .AddFingerprint();
    const auto message = builder.Take();
    a_.session.HandleDatagram(now_, a_.address, At("192.0.2.9", 9), message);
    bool found = false;
    while (const auto transmit = a_.session.PollTransmit()) {
      found = found || transmit->remote == At("192.0.2.9", 9);
    }
    return found;
  };

  Run(seconds(25));
  EXPECT_TRUE(answered());
  Run(seconds(10));
  EXPECT_FALSE(answered());
}

TEST_F(FloeIceSessionTest, RelayOnlySignalsNoAddressAndAnswersNoDirectCheck) {
  for (const bool relay_only : {false, true}) {
    test::FakeRandom random(3);
    Session session(now_, {.role = ice::Role::kControlled, .relay_only = relay_only}, random);
    session.SetServers(now_, {}, {}, /*more=*/false);
    session.SetLocalAddresses(now_, {At("192.0.2.3", 3000)});
    Lines lines;
    while (auto line = session.PollLine()) {
      lines.push_back(std::move(*line));
    }
    EXPECT_EQ(Count(lines, "candidate"), relay_only ? 0 : 1);

    ice::stun::Builder check(ice::stun::Class::kRequest, ice::stun::Method::kBinding,
                             ice::stun::NewTransactionId(random));
    check.AddText(ice::stun::AttributeType::kUsername, Last(lines, "ufrag") + ":peer")
        .AddU32(ice::stun::AttributeType::kPriority, 1)
        .AddU64(ice::stun::AttributeType::kIceControlling, 7)
        .AddIntegrity(AsBytes(Last(lines, "pwd")))
        .AddFingerprint();
    session.HandleDatagram(now_, At("192.0.2.3", 3000), At("192.0.2.9", 9), check.Take());

    EXPECT_EQ(session.PollTransmit().has_value(), !relay_only);
  }
}

TEST_F(FloeIceSessionTest, DropsDataOfStrangers) {
  Start();
  Introduce();
  Run(seconds(2));

  a_.session.HandleDatagram(now_, a_.address, At("192.0.2.9", 9), AsBytes("hello"));
  Collect(a_);

  EXPECT_EQ(Count(a_.lines, "recv"), 0);
}

TEST_F(FloeIceSessionTest, ComplainsOfABadLineAndGoesOn) {
  Start();
  for (const char* line : {"frobnicate", "send 0", "candidate nonsense", "send 00", "ufrag"}) {
    a_.session.HandleLine(now_, line);
    EXPECT_TRUE(a_.session.PollComplaint()) << line;
  }
  a_.session.HandleLine(now_, "");
  EXPECT_FALSE(a_.session.PollComplaint());

  Introduce();
  Run(seconds(2));
  ExpectData("d1");
}

TEST_F(FloeIceSessionTest, EndsItsCandidatesAfterTenSecondsOfASilentServer) {
  a_.session.SetServers(now_, {At("198.51.100.9", 3478)}, {}, /*more=*/false);
  a_.session.SetLocalAddresses(now_, {a_.address});
  Collect(a_);
  EXPECT_EQ(Count(a_.lines, "end-of-candidates"), 0);

  Run(seconds(11));

  EXPECT_EQ(a_.lines.back(), "end-of-candidates");
}

TEST_F(FloeIceSessionTest, CloseEndsIt) {
  Start();

  a_.session.HandleLine(now_, "close");

  EXPECT_TRUE(a_.session.is_closed());
}

}  // namespace
}  // namespace floe::tools
