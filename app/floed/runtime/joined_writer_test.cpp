#include "app/floed/runtime/joined_writer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "tunnel/packet/test_packets.h"

namespace floe::daemon {
namespace {

using tunnel::test::Packet;

constexpr std::size_t kPayload = 1000;  // bytes

/// Keeps what it takes, which is only some.
class FakeDevice final : public tun::Device {
 public:
  [[nodiscard]] Result<std::optional<std::size_t>> Read(MutableBytes) override {
    return std::nullopt;
  }

  [[nodiscard]] Result<bool> Write(std::span<const Bytes> parts) override {
    if (gone) {
      return Fail(Error{std::make_error_code(std::errc::bad_file_descriptor), "write"});
    }
    if (off || (refuses_joined && parts.size() > 2)) {
      return false;
    }
    Packet packet;
    for (const Bytes part : parts.subspan(1)) {
      packet.insert(packet.end(), part.begin(), part.end());
    }
    taken.push_back(std::move(packet));
    return true;
  }

  [[nodiscard]] tun::Offloads offloads() const override { return {}; }

  [[nodiscard]] tun::Offloads takes() const override { return {}; }

  [[nodiscard]] int poll_fd() const override { return -1; }

  [[nodiscard]] const std::string& name() const override { return name_; }

  [[nodiscard]] std::size_t mtu() const override { return 1408; }

  bool refuses_joined = false;
  bool off = false;
  bool gone = false;
  std::vector<Packet> taken;

 private:
  std::string name_ = "fake";
};

std::vector<Packet> MakeTrain(bool tcp) {
  std::vector<Packet> train;
  for (std::uint32_t i = 0; i < 3; ++i) {
    train.push_back(tunnel::test::MakePacket({.tcp = tcp,
                                              .payload = kPayload,
                                              .sequence = i * std::uint32_t{kPayload},
                                              .seed = static_cast<std::uint8_t>(i)}));
  }
  return train;
}

class JoinedWriterTest : public ::testing::Test {
 protected:
  /// Writes three packets that can be joined, so many times.
  [[nodiscard]] bool WriteJoined(int times, bool tcp = true) {
    for (int i = 0; i < times; ++i) {
      std::vector<Packet> train = MakeTrain(tcp);
      tunnel::Coalescer coalescer({});
      for (Packet& packet : train) {
        coalescer.Add(packet);
      }
      const auto groups = coalescer.Finish();
      EXPECT_EQ(groups.size(), 1U);
      if (!writer_.Write(groups[0])) {
        return false;
      }
    }
    return true;
  }

  FakeDevice device_;
  JoinedWriter writer_{device_, {}};
};

TEST_F(JoinedWriterTest, WritesJoinedPacketsAsOne) {
  ASSERT_TRUE(WriteJoined(1));

  ASSERT_EQ(device_.taken.size(), 1U);
  EXPECT_EQ(device_.taken[0].size(), MakeTrain(/*tcp=*/true)[0].size() + 2 * kPayload);
}

TEST_F(JoinedWriterTest, CutsAgainWhatIsRefused) {
  device_.refuses_joined = true;

  ASSERT_TRUE(WriteJoined(1));

  const std::vector<Packet> train = MakeTrain(/*tcp=*/true);
  ASSERT_EQ(device_.taken.size(), train.size());
  for (std::size_t i = 0; i < train.size(); ++i) {
    EXPECT_TRUE(tunnel::test::HasRightChecksums(device_.taken[i]));
    EXPECT_EQ(tunnel::test::PayloadOf(device_.taken[i]), tunnel::test::PayloadOf(train[i]));
    EXPECT_EQ(tunnel::test::SequenceOf(device_.taken[i]), tunnel::test::SequenceOf(train[i]));
  }
}

TEST_F(JoinedWriterTest, JoinsNoMoreOfAKindThatIsAlwaysRefused) {
  device_.refuses_joined = true;

  ASSERT_TRUE(WriteJoined(JoinedWriter::kMaxRefusals - 1));
  EXPECT_TRUE(writer_.joinable().tcp);
  ASSERT_TRUE(WriteJoined(1));

  EXPECT_FALSE(writer_.joinable().tcp);
  EXPECT_TRUE(writer_.joinable().udp);
  ASSERT_TRUE(WriteJoined(JoinedWriter::kMaxRefusals, /*tcp=*/false));
  EXPECT_FALSE(writer_.joinable().udp);
}

TEST_F(JoinedWriterTest, GoesOnJoiningWhereRefusalsAreRare) {
  for (int i = 0; i < 2; ++i) {
    device_.refuses_joined = true;
    ASSERT_TRUE(WriteJoined(JoinedWriter::kMaxRefusals - 1));
    device_.refuses_joined = false;
    ASSERT_TRUE(WriteJoined(1));
  }

  EXPECT_TRUE(writer_.joinable().tcp);
}

TEST_F(JoinedWriterTest, BlamesNotTheJoiningWhileNothingIsTaken) {
  device_.off = true;

  ASSERT_TRUE(WriteJoined(2 * JoinedWriter::kMaxRefusals));

  EXPECT_TRUE(writer_.joinable().tcp);
}

TEST_F(JoinedWriterTest, SaysThatTheDeviceIsGone) {
  device_.gone = true;

  EXPECT_FALSE(WriteJoined(1));
}

}  // namespace
}  // namespace floe::daemon
