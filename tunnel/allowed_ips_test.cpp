#include "tunnel/allowed_ips.h"

#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <vector>

namespace floe::tunnel {
namespace {

IpPrefix Prefix(std::string_view text) {
  const auto prefix = ParseIpPrefix(text);
  EXPECT_TRUE(prefix.has_value()) << text;
  return prefix.value_or(IpPrefix{});
}

IpAddress Address(std::string_view text) {
  const auto address = ParseIpAddress(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress{});
}

TEST(AllowedIpsTest, TheLongestPrefixWins) {
  AllowedIps ips;
  ips.Insert(Prefix("0.0.0.0/0"), 1);
  ips.Insert(Prefix("10.0.0.0/8"), 2);
  ips.Insert(Prefix("10.71.0.0/24"), 3);
  ips.Insert(Prefix("10.71.0.2/32"), 4);

  EXPECT_EQ(ips.Find(Address("192.0.2.1")), 1U);
  EXPECT_EQ(ips.Find(Address("10.72.0.2")), 2U);
  EXPECT_EQ(ips.Find(Address("10.71.0.3")), 3U);
  EXPECT_EQ(ips.Find(Address("10.71.0.2")), 4U);
}

TEST(AllowedIpsTest, FamiliesDoNotMix) {
  AllowedIps ips;
  ips.Insert(Prefix("::/0"), 6);

  EXPECT_EQ(ips.Find(Address("10.0.0.1")), std::nullopt);
  EXPECT_EQ(ips.Find(Address("fd66:6c6f:6500::1")), 6U);

  ips.Insert(Prefix("0.0.0.0/0"), 4);
  EXPECT_EQ(ips.Find(Address("10.0.0.1")), 4U);
  EXPECT_EQ(ips.Find(Address("::")), 6U);
}

TEST(AllowedIpsTest, APrefixMovesToWhoClaimsItLast) {
  AllowedIps ips;
  ips.Insert(Prefix("fd00::/64"), 1);
  ips.Insert(Prefix("fd00::/64"), 2);
  EXPECT_EQ(ips.Find(Address("fd00::5")), 2U);

  ips.Remove(Prefix("fd00::/64"), 1);
  EXPECT_EQ(ips.Find(Address("fd00::5")), 2U);

  ips.Remove(Prefix("fd00::/64"), 2);
  EXPECT_EQ(ips.Find(Address("fd00::5")), std::nullopt);
}

TEST(AllowedIpsTest, AnEmptyOneFindsNothing) {
  EXPECT_EQ(AllowedIps{}.Find(Address("10.0.0.1")), std::nullopt);
}

/// Few bits and many lengths, so that prefixes nest and fork often.
rc::Gen<IpPrefix> AnyPrefix() {
  return rc::gen::exec([] {
    const bool v4 = *rc::gen::arbitrary<bool>();
    std::vector<std::uint8_t> octets(v4 ? 4 : 16);
    for (std::uint8_t& octet : octets) {
      octet = *rc::gen::element<std::uint8_t>(0x00, 0x01, 0x80, 0xFF);
    }
    const IpAddress ip = IpAddress::FromBytes(octets);
    const auto length = *rc::gen::inRange<int>(0, ip.bits() + 1);
    return *ParseIpPrefix(ToString(ip) + "/" + std::to_string(length));
  });
}

std::optional<std::uint32_t> LinearSearch(const std::map<IpPrefix, std::uint32_t>& prefixes,
                                          const IpAddress& ip) {
  std::optional<std::uint32_t> owner;
  int longest = -1;
  for (const auto& [prefix, candidate] : prefixes) {
    if (prefix.length > longest && prefix.Contains(ip)) {
      longest = prefix.length;
      owner = candidate;
    }
  }
  return owner;
}

RC_GTEST_PROP(AllowedIpsTest, AgreesWithALinearSearch, ()) {
  AllowedIps ips;
  std::map<IpPrefix, std::uint32_t> model;
  const auto count = *rc::gen::inRange<std::uint32_t>(0, 60);
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool removes = !model.empty() && *rc::gen::inRange(0, 4) == 0;
    if (removes) {
      const auto victim =
          std::next(model.begin(), *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(model)));
      ips.Remove(victim->first, victim->second);
      model.erase(victim);
    } else {
      const IpPrefix prefix = *AnyPrefix();
      ips.Insert(prefix, i);
      model[prefix] = i;
    }
    const IpAddress probe = (*AnyPrefix()).address;
    RC_ASSERT(ips.Find(probe) == LinearSearch(model, probe));
  }
  for (const auto& [prefix, owner] : model) {
    RC_ASSERT(ips.Find(prefix.address) == LinearSearch(model, prefix.address));
    ips.Remove(prefix, owner);
  }
  for (const auto& [prefix, owner] : model) {
    RC_ASSERT(ips.Find(prefix.address) == std::nullopt);
  }
}

}  // namespace
}  // namespace floe::tunnel
