#include "ice/tcp/deframer.h"

#include <gtest/gtest.h>
#include <string>

namespace floe::ice::tcp {
namespace {

using std::string_literals::operator""s;

std::vector<std::string> Read(Deframer& deframer, const std::string& bytes) {
  std::vector<std::string> packets;
  deframer.Feed(AsBytes(bytes));
  while (const auto packet = deframer.Poll()) {
    packets.emplace_back(AsText(*packet));
  }
  return packets;
}

const std::string kStream = "\0\x05hello\0\0\0\x01x\0\x02ok"s;
const std::vector<std::string> kPackets{"hello", "x", "ok"};

TEST(DeframerTest, TakesManyPacketsOfOneRead) {
  Deframer deframer;
  EXPECT_EQ(Read(deframer, kStream), kPackets);
  EXPECT_EQ(Read(deframer, kStream), kPackets);
}

TEST(DeframerTest, TakesPacketsCutAnywhere) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    Deframer deframer;
    auto packets = Read(deframer, kStream.substr(0, cut));
    for (std::string& packet : Read(deframer, kStream.substr(cut))) {
      packets.push_back(std::move(packet));
    }
    EXPECT_EQ(packets, kPackets) << cut;
  }
}

TEST(DeframerTest, TakesBytesOneByOne) {
  Deframer deframer;
  std::vector<std::string> packets;
  for (const char c : kStream) {
    for (std::string& packet : Read(deframer, std::string(1, c))) {
      packets.push_back(std::move(packet));
    }
  }
  EXPECT_EQ(packets, kPackets);
}

TEST(DeframerTest, TakesTheLargestPacket) {
  Deframer deframer;
  const std::string largest(kMaxFrame, 'a');
  EXPECT_EQ(Read(deframer, "\xFF\xFF"s + largest), std::vector{largest});
}

}  // namespace
}  // namespace floe::ice::tcp
