#include "ice/stun/registry.h"

#include <gtest/gtest.h>

namespace floe::ice::stun {
namespace {

TEST(RegistryTest, NamesWhatItKnowsAndAdmitsWhatItDoesNot) {
  EXPECT_EQ(ToString(Class::kIndication), "indication");
  EXPECT_EQ(ToString(Method::kCreatePermission), "CreatePermission");
  EXPECT_EQ(ToString(Method{0x7FF}), "unknown method");
  EXPECT_EQ(ToString(ErrorCode::kStaleNonce), "Stale Nonce");
  EXPECT_EQ(ToString(ErrorCode{699}), "unknown error code");
}

TEST(RegistryTest, TellsRequiredAttributesFromOptionalOnes) {
  EXPECT_TRUE(IsComprehensionRequired(AttributeType::kUseCandidate));
  EXPECT_TRUE(IsComprehensionRequired(AttributeType{0x7FFF}));
  EXPECT_FALSE(IsComprehensionRequired(AttributeType{0x8000}));
  EXPECT_FALSE(IsComprehensionRequired(AttributeType::kNomination));
}

}  // namespace
}  // namespace floe::ice::stun
