#include "app/floed/runtime/key_log_file.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>

#include "tests/support/fake_random.h"
#include "tests/support/temporary_directory.h"

namespace floe::daemon {
namespace {

using ::testing::HasSubstr;

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class KeyLogFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string Refused() const {
    const auto opened = KeyLogFile::Open(path_);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().message + "; " + opened.error().remedy;
  }

  test::TemporaryDirectory directory_;
  std::string path_ = (directory_.path() / "keys").native();
};

TEST_F(KeyLogFileTest, WritesWhatWiresharkReads) {
  test::FakeRandom random;
  const tunnel::LocalIdentity local(GeneratePrivateKey(random));
  const PublicKey peer = DerivePublicKey(GeneratePrivateKey(random));
  const auto remote = tunnel::RemoteIdentity::Make(local, peer, {});
  const PrivateKey ephemeral = GeneratePrivateKey(random);
  auto file = KeyLogFile::Open(path_);
  ASSERT_TRUE(file);

  (*file)->NoteHandshake(local, *remote, ephemeral);

  const std::string entry = "LOCAL_STATIC_PRIVATE_KEY = " + RevealKey(local.private_key()).text() +
                            "\nREMOTE_STATIC_PUBLIC_KEY = " + ToString(peer) +
                            "\nLOCAL_EPHEMERAL_PRIVATE_KEY = " + RevealKey(ephemeral).text() +
                            "\nPRESHARED_KEY = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  EXPECT_EQ(Read(path_), entry);
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);

  file = KeyLogFile::Open(path_);
  ASSERT_TRUE(file);
  (*file)->NoteHandshake(local, *remote, ephemeral);
  EXPECT_EQ(Read(path_), entry + entry);
}

TEST_F(KeyLogFileTest, RefusesAFileThatOthersMayUse) {
  std::ofstream(path_).close();
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);

  EXPECT_THAT(Refused(), HasSubstr("chmod 600 " + path_));
}

TEST_F(KeyLogFileTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(Refused(), HasSubstr(path_));
  path_ = (directory_.path() / "no" / "keys").native();
  EXPECT_THAT(Refused(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace floe::daemon
