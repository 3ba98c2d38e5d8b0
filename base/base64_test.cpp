#include "base/base64.h"

#include <gtest/gtest.h>
#include <string>

namespace floe {
namespace {

TEST(Base64Test, WritesTheVectorsOfRfc4648) {
  EXPECT_EQ(EncodeBase64(AsBytes("")), "");
  EXPECT_EQ(EncodeBase64(AsBytes("f")), "Zg==");
  EXPECT_EQ(EncodeBase64(AsBytes("fo")), "Zm8=");
  EXPECT_EQ(EncodeBase64(AsBytes("foobar")), "Zm9vYmFy");
}

TEST(Base64Test, ReadsWhatItWrites) {
  for (std::string text; text.size() < 50; text += static_cast<char>(text.size() * 7)) {
    const auto decoded = DecodeBase64(EncodeBase64(AsBytes(text)));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), text);
  }
}

TEST(Base64Test, RefusesWhatIsNotExactlyBase64) {
  for (const char* text : {"Zg", "Zg=", "Zg==\n", " Zg==", "Z!==", "Zm9vYmFy=", "Zm9vYmF\xff"}) {
    EXPECT_FALSE(DecodeBase64(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace floe
