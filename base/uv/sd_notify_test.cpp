#include "base/uv/sd_notify.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace floe::uv {
namespace {

/// A manager's socket at `path`, where a leading '@' stands for the abstract namespace.
class Manager {
 public:
  explicit Manager(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path.front() == '@') {
      address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), /*replace=*/1);
  }

  ~Manager() { unsetenv("NOTIFY_SOCKET"); }

  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  [[nodiscard]] std::string Received() const {
    std::array<char, 256> text{};
    const ssize_t size = recv(fd_.get(), text.data(), text.size(), 0);
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  UniqueFd fd_;
};

TEST(SdNotifyTest, SendsTheStateToASocketFile) {
  const std::string path = ::testing::TempDir() + "floe-notify-" + std::to_string(getpid());
  {
    const Manager manager(path);

    ASSERT_TRUE(SdNotify("READY=1\nSTATUS=2 peers"));

    EXPECT_EQ(manager.Received(), "READY=1\nSTATUS=2 peers");
  }
  unlink(path.c_str());
}

TEST(SdNotifyTest, SendsTheStateToAnAbstractSocket) {
  const Manager manager("@floe-notify-" + std::to_string(getpid()));

  ASSERT_TRUE(SdNotify("STOPPING=1"));

  EXPECT_EQ(manager.Received(), "STOPPING=1");
}

TEST(SdNotifyTest, DoesNothingWithoutAManager) {
  unsetenv("NOTIFY_SOCKET");

  EXPECT_TRUE(SdNotify("READY=1"));
}

TEST(SdNotifyTest, SaysThatNobodyListens) {
  setenv("NOTIFY_SOCKET", "/nowhere/notify", /*replace=*/1);

  const auto sent = SdNotify("READY=1");

  unsetenv("NOTIFY_SOCKET");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().context, "notify /nowhere/notify");
}

}  // namespace
}  // namespace floe::uv
