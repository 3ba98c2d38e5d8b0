#include "ice/portmap/client.h"

#include <functional>
#include <gtest/gtest.h>
#include <string>

namespace floe::ice::portmap {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const SocketAddress kUs = *ParseSocketAddress("192.0.2.2:41820");
const IpAddress kRouter = *ParseIpAddress("192.0.2.1");
constexpr Nonce kNonce{7, 7, 7};

/// A router that speaks what the test wants it to.
struct Router {
  bool pcp = true;
  bool nat_pmp = true;
  std::uint8_t result = 0;  // Of PCP.
  std::uint16_t nat_pmp_result = 0;
  std::uint32_t lifetime = 7200;
  IpAddress address = IpAddress::V4(203, 0, 113, 5);
  std::uint16_t first_port = 5000;  // Given to who suggests none.
  TimePoint started{};
  std::optional<std::uint16_t> mapped;  // External port.
  std::optional<Nonce> owner;
  int requests = 0;

  void Reboot(TimePoint now) {
    started = now;
    mapped.reset();
    owner.reset();
  }

  std::optional<std::vector<std::uint8_t>> Answer(TimePoint now, Bytes request) {
    ++requests;
    const auto epoch =
        static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(now - started).count());
    if (request[0] == 2) {
      return pcp       ? AnswerPcp(epoch, request)
             : nat_pmp ? std::optional(Header({0, 0, 0, 1}, epoch, 4, 8))
                       : std::nullopt;
    }
    return nat_pmp ? std::optional(AnswerNatPmp(epoch, request)) : std::nullopt;
  }

 private:
  static std::vector<std::uint8_t> Header(std::vector<std::uint8_t> head, std::uint32_t epoch,
                                          std::size_t at, std::size_t size) {
    head.resize(size);
    StoreBe(head, at, epoch);
    return head;
  }

  std::uint16_t Map(std::uint16_t suggested, std::uint32_t wanted) {
    if (wanted == 0) {
      mapped.reset();
      return 0;
    }
    mapped = mapped.value_or(suggested != 0 ? suggested : first_port);
    return *mapped;
  }

  std::vector<std::uint8_t> AnswerPcp(std::uint32_t epoch, Bytes request) {
    auto answer = Header({2, static_cast<std::uint8_t>(request[1] | 0x80U), 0, result}, epoch, 8,
                         request.size());
    if (request[1] == 0) {
      return answer;
    }
    std::copy(request.begin() + 24, request.end(), answer.begin() + 24);
    Nonce nonce{};
    std::copy_n(request.begin() + 24, nonce.size(), nonce.begin());
    if (owner && *owner != nonce) {
      answer[3] = 2;  // NOT_AUTHORIZED
    }
    if (answer[3] != 0) {
      return answer;
    }
    owner = nonce;
    const auto wanted = LoadBe<std::uint32_t>(request, 4);
    StoreBe(answer, 4, wanted == 0 ? 0U : lifetime);
    StoreBe(answer, 42, Map(LoadBe<std::uint16_t>(request, 42), wanted));
    answer[54] = answer[55] = 0xFF;
    std::ranges::copy(address.octets(), answer.begin() + 56);
    return answer;
  }

  std::vector<std::uint8_t> AnswerNatPmp(std::uint32_t epoch, Bytes request) {
    const auto low = static_cast<std::uint8_t>(nat_pmp_result);
    auto answer = Header({0, static_cast<std::uint8_t>(request[1] | 0x80U), 0, low}, epoch, 4,
                         request[1] == 0 ? 12 : 16);
    if (request[1] == 0) {
      std::ranges::copy(address.octets(), answer.begin() + 8);
      return answer;
    }
    std::copy_n(request.begin() + 4, 2, answer.begin() + 8);
    const auto wanted = LoadBe<std::uint32_t>(request, 8);
    StoreBe(answer, 10, Map(LoadBe<std::uint16_t>(request, 6), wanted));
    StoreBe(answer, 12, wanted == 0 ? 0U : lifetime);
    return answer;
  }
};

class PortmapClientTest : public ::testing::Test {
 protected:
  void Make(ClientConfig config = {.internal = kUs, .router = kRouter, .nonce = kNonce}) {
    router.started = now_ - hours(1);
    client_ = std::make_unique<Client>(now_, config);
    Drain();
  }

  void Run(Duration time) {
    const TimePoint end = now_ + time;
    for (int steps = 0; client_->NextTimeout() && *client_->NextTimeout() <= end; ++steps) {
      ASSERT_LT(steps, 10'000) << "the client spins";
      now_ = std::max(now_, *client_->NextTimeout());
      client_->HandleTimeout(now_);
      Drain();
    }
    now_ = end;
  }

  /// Answers each request at once, unless lost.
  void Drain() {
    while (const auto request = client_->PollTransmit()) {
      if (lost) {
        ++unheard;
        continue;
      }
      if (const auto answer = router.Answer(now_, *request)) {
        EXPECT_TRUE(client_->HandleDatagram(now_, *answer));
      }
    }
    while (const auto event = client_->PollEvent()) {
      if (const auto* mapped = std::get_if<Mapped>(&*event)) {
        said += (mapped->protocol == Protocol::kPcp ? "pcp " : "nat-pmp ") +
                ToString(mapped->external) + "; ";
      } else {
        said += std::holds_alternative<Silent>(*event) ? "silent; " : "unmapped; ";
      }
    }
  }

  Router router;
  bool lost = false;
  int unheard = 0;
  std::string said;
  TimePoint now_ = TimePoint{} + hours(1000);
  std::unique_ptr<Client> client_;
};

TEST_F(PortmapClientTest, IsMappedAtOnceByPcp) {
  Make();

  EXPECT_EQ(said, "pcp 203.0.113.5:5000; ");
  EXPECT_EQ(router.requests, 1);
}

TEST_F(PortmapClientTest, FallsBackToNatPmpOnAVersionError) {
  router.pcp = false;
  Make();

  EXPECT_EQ(said, "nat-pmp 203.0.113.5:41820; ");
}

TEST_F(PortmapClientTest, FallsBackWhenPcpIsRefused) {
  router.result = 2;
  Make();

  EXPECT_EQ(said, "nat-pmp 203.0.113.5:41820; ");
}

TEST_F(PortmapClientTest, FallsBackOnSilenceAndSaysSoWhenAllAreSilent) {
  router.pcp = router.nat_pmp = false;
  Make();
  Run(milliseconds(3499));
  EXPECT_EQ(said, "");

  Run(milliseconds(1));

  EXPECT_EQ(said, "silent; ");
  EXPECT_EQ(router.requests, 3 + 2 * 3) << "three of each; NAT-PMP asks two questions";
  Run(minutes(9));
  EXPECT_EQ(router.requests, 9) << "it rests";
  router.pcp = true;
  Run(minutes(2));
  EXPECT_EQ(said, "silent; pcp 203.0.113.5:5000; ");
}

TEST_F(PortmapClientTest, AsksOnlyInWhatItMay) {
  Make({.internal = kUs, .router = kRouter, .pcp = false});
  EXPECT_EQ(said, "nat-pmp 203.0.113.5:41820; ");

  said.clear();
  router.nat_pmp = false;
  router.result = 2;
  Make({.internal = kUs, .router = kRouter, .nat_pmp = false});
  EXPECT_EQ(said, "silent; ");

  said.clear();
  Make({.internal = kUs, .router = kRouter, .pcp = false, .nat_pmp = false});
  EXPECT_EQ(said, "silent; ");
  EXPECT_EQ(client_->NextTimeout(), std::nullopt);
}

TEST_F(PortmapClientTest, NeverAsksInNatPmpForIpv6) {
  router.pcp = false;
  Make({.internal = *ParseSocketAddress("[2001:db8::2]:41820"), .router = kRouter});

  EXPECT_EQ(said, "silent; ");
}

TEST_F(PortmapClientTest, RenewsAtHalfLifeAndKeepsPortAndNonce) {
  Make();
  Run(hours(20));

  EXPECT_EQ(said, "pcp 203.0.113.5:5000; ");
  EXPECT_EQ(router.owner, kNonce);
  EXPECT_LE(router.requests, 20 * 61 + 1) << "one a minute";
}

TEST_F(PortmapClientTest, LosesTheMappingWhenNoRenewalIsAnswered) {
  Make();
  lost = true;
  Run(minutes(119));
  EXPECT_EQ(said, "pcp 203.0.113.5:5000; ");

  Run(minutes(1) + seconds(1));

  EXPECT_EQ(said, "pcp 203.0.113.5:5000; unmapped; ");
}

TEST_F(PortmapClientTest, ARouterThatHasForgottenIsToldWithinAMinute) {
  for (const bool pcp : {true, false}) {
    said.clear();
    router = {.pcp = pcp, .mapped = 6000};  // Another port than it would give by itself.
    Make();
    Run(minutes(10));
    router.Reboot(now_);

    Run(seconds(60));

    EXPECT_EQ(router.mapped, 6000) << "the same port again";
    EXPECT_EQ(said, pcp ? "pcp 203.0.113.5:6000; " : "nat-pmp 203.0.113.5:6000; ");
  }
}

TEST_F(PortmapClientTest, ANetworkChangeIsNotWaitedForAMinute) {
  Make();
  router.started = now_ - seconds(1);
  Run(seconds(6));
  router.Reboot(now_ - seconds(1));  // Its epoch tells nothing.

  client_->CheckNow(now_);
  Drain();

  EXPECT_EQ(router.mapped, 5000);
}

TEST_F(PortmapClientTest, ANetworkChangeRightAfterAnAnswerIsLookedAtSoon) {
  Make();
  router.started = now_ - seconds(1);
  Run(seconds(1));
  router.Reboot(now_ - seconds(1));

  client_->CheckNow(now_);
  Drain();
  Run(seconds(4));

  EXPECT_EQ(router.mapped, 5000);
}

TEST_F(PortmapClientTest, IsNotHurriedByOneChangeAfterAnother) {
  Make();
  const int before = router.requests;
  for (int i = 0; i < 1000; ++i) {
    client_->CheckNow(now_);
    Drain();
    Run(milliseconds(10));
  }

  EXPECT_LE(router.requests - before, 3);
}

TEST_F(PortmapClientTest, TellsOfAnotherExternalAddress) {
  for (const bool pcp : {true, false}) {
    said.clear();
    router = {.pcp = pcp, .mapped = 6000};
    Make();
    said.clear();
    router.address = IpAddress::V4(203, 0, 113, 77);
    router.Reboot(now_);

    Run(seconds(60));

    EXPECT_EQ(said, pcp ? "pcp 203.0.113.77:6000; " : "nat-pmp 203.0.113.77:6000; ");
  }
}

TEST_F(PortmapClientTest, GivesTheMappingBack) {
  for (const bool pcp : {true, false}) {
    router = {.pcp = pcp};
    Make();
    ASSERT_TRUE(router.mapped);

    client_->Close(now_);
    Drain();

    EXPECT_FALSE(router.mapped);
    EXPECT_EQ(client_->NextTimeout(), std::nullopt);
    EXPECT_FALSE(client_->mapped());
  }
}

TEST_F(PortmapClientTest, LeavesOddAnswersAlone) {
  router.first_port = 0;
  Make();
  EXPECT_EQ(said, "silent; ") << "port 0 is none";

  said.clear();
  router = {.nat_pmp = false, .address = IpAddress::V4(0, 0, 0, 0)};
  Make();
  Run(seconds(4));
  EXPECT_EQ(said, "silent; ") << "nor is the unspecified address one";

  said.clear();
  router = {.lifetime = 1};
  Make();
  const int before = router.requests;
  Run(minutes(10));
  EXPECT_LE(router.requests - before, 40) << "a life of a second is not renewed twice in it";
  router = {.lifetime = UINT32_MAX};
  Make();
  Run(hours(100));
  EXPECT_TRUE(client_->mapped());
}

TEST_F(PortmapClientTest, DoesNotBelieveAnAnswerWithoutItsNonce) {
  router.pcp = router.nat_pmp = false;
  Make();
  Router other;
  other.started = now_;

  const auto forged = other.Answer(
      now_, MakePcpMap({.internal = kUs, .suggested = kUs, .nonce = {9}, .lifetime = 100}));
  EXPECT_TRUE(client_->HandleDatagram(now_, *forged));
  Drain();

  EXPECT_EQ(said, "");
}

TEST_F(PortmapClientTest, TheNextRunTakesOverWhatACrashLeft) {
  Make();
  Make();

  EXPECT_EQ(said, "pcp 203.0.113.5:5000; pcp 203.0.113.5:5000; ");
}

}  // namespace
}  // namespace floe::ice::portmap
