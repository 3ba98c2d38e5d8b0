#include "app/config/secret_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary_directory.h"

namespace floe::config {
namespace {

class ReadSecretFileTest : public testing::Test {
 protected:
  FileProblem ProblemOf(const std::filesystem::path& path) {
    const auto content = ReadSecretFile(path);
    EXPECT_FALSE(content.has_value());
    return content ? FileProblem{} : content.error();
  }

  test::TemporaryDirectory directory_;
};

TEST_F(ReadSecretFileTest, TakesTheWhiteSpaceOffTheEnd) {
  const auto path = directory_.Write("password", "correct horse \r\n", 0600);

  const auto content = ReadSecretFile(path);

  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(content->text(), "correct horse");
}

TEST_F(ReadSecretFileTest, AcceptsAFileTheOwnerCanOnlyRead) {
  EXPECT_TRUE(ReadSecretFile(directory_.Write("key", "x", 0400)).has_value());
}

TEST_F(ReadSecretFileTest, RefusesAFileOthersMayUse) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U, 0644U}) {
    const auto path = directory_.Write("open", "secret", mode);
    const FileProblem problem = ProblemOf(path);
    EXPECT_THAT(problem.message, testing::HasSubstr("others may use"));
    EXPECT_EQ(problem.remedy, "chmod 600 " + path.native());
  }
}

TEST_F(ReadSecretFileTest, NamesTheModeOfAFileOthersMayUse) {
  EXPECT_THAT(ProblemOf(directory_.Write("open", "secret", 0644)).message,
              testing::HasSubstr("(mode 0644)"));
}

TEST_F(ReadSecretFileTest, RefusesWhatIsNotThere) {
  EXPECT_THAT(ProblemOf(directory_.path() / "none").message, testing::HasSubstr("does not exist"));
}

TEST_F(ReadSecretFileTest, RefusesADirectory) {
  EXPECT_THAT(ProblemOf(directory_.path()).message, testing::HasSubstr("is not a file"));
}

TEST_F(ReadSecretFileTest, DoesNotWaitForANamedPipe) {
  const auto path = directory_.path() / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(ProblemOf(path).message, testing::HasSubstr("is not a file"));
}

TEST_F(ReadSecretFileTest, SaysWhyAFileCannotBeRead) {
  const auto path = directory_.path() / "loop";
  std::filesystem::create_symlink(path, path);
  EXPECT_THAT(ProblemOf(path).message, testing::HasSubstr("cannot be read: Too many levels"));
}

TEST_F(ReadSecretFileTest, RefusesAnEmptyFile) {
  EXPECT_THAT(ProblemOf(directory_.Write("empty", "\n", 0600)).message,
              testing::HasSubstr("is empty"));
}

TEST_F(ReadSecretFileTest, RefusesAFileTooLargeToBeASecret) {
  EXPECT_TRUE(ReadSecretFile(directory_.Write("full", std::string(4096, 'x'), 0600)).has_value());
  EXPECT_THAT(ProblemOf(directory_.Write("large", std::string(4097, 'x'), 0600)).message,
              testing::HasSubstr("too large"));
}

}  // namespace
}  // namespace floe::config
