#include "base/uv/http_tunnel.h"

#include <chrono>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "base/uv/listener.h"
#include "base/uv/stream.h"
#include "tests/support/run_loop.h"

namespace floe::uv {
namespace {

using std::chrono::seconds;

/// A tunnel through a proxy that gives the answer of the test.
class HttpTunnelTest : public ::testing::Test {
 protected:
  void Connect(const std::string& answer, const std::string& password = "") {
    listener_ =
        *Listener::ListenTcp(*loop_, *ParseSocketAddress("127.0.0.1:0"), [=, this](auto stream) {
          proxy_ = std::move(stream);
          proxy_->Start({.on_data = [=, this](Bytes data) {
            const bool asked = asked_.find("\r\n\r\n") != std::string::npos;
            asked_ += AsText(data);
            if (!stop_after_.empty() && asked_.ends_with(stop_after_)) {
              loop_->Stop();
            }
            if (!asked && asked_.find("\r\n\r\n") != std::string::npos) {
              proxy_->Write(AsBytes(answer));
            }
          }});
        });
    const TimePoint deadline = Loop::Now() + seconds(9);
    tunnel_ = std::make_unique<HttpTunnel>(
        *loop_, *Stream::ConnectTcp(*loop_, *listener_->local_address(), deadline),
        "turn.example:443", Proxy{.host = "127.0.0.1", .credentials = SecretString(password)},
        deadline);
    tunnel_->Start({.on_connect = [this] { connected_ = true; },
                    .on_data =
                        [this](Bytes data) {
                          got_ += AsText(data);
                          if (stop_after_.empty()) {
                            loop_->Stop();
                          }
                        },
                    .on_close =
                        [this](CloseReason reason, const Error& error) {
                          reason_ = reason;
                          context_ = error.context;
                          loop_->Stop();
                        }});
  }

  std::unique_ptr<Loop> loop_ = *Loop::Make();
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> proxy_;
  std::unique_ptr<HttpTunnel> tunnel_;
  std::string asked_;
  std::string stop_after_;  // What the proxy must have read, where not its answer is waited for.
  std::string got_;
  std::string context_;
  std::optional<CloseReason> reason_;
  bool connected_ = false;
};

TEST_F(HttpTunnelTest, OpensAndPassesOnWhatStandsBehindTheAnswer) {
  Connect("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello");
  test::RunLoop(*loop_);

  EXPECT_TRUE(connected_);
  EXPECT_EQ(got_, "hello");
  EXPECT_EQ(asked_, "CONNECT turn.example:443 HTTP/1.1\r\nHost: turn.example:443\r\n\r\n");
}

TEST_F(HttpTunnelTest, HoldsWhatIsWrittenUntilItIsOpen) {
  Connect("HTTP/1.0 200 OK\r\n\r\nx");
  tunnel_->Write(AsBytes("early"));
  EXPECT_EQ(tunnel_->write_queue_size(), 5U);
  stop_after_ = "early";
  test::RunLoop(*loop_);

  EXPECT_TRUE(asked_.ends_with("\r\n\r\nearly"));
}

TEST_F(HttpTunnelTest, ShowsItsPassword) {
  Connect("HTTP/1.1 200 OK\r\n\r\nx", "user:password");
  test::RunLoop(*loop_);

  EXPECT_NE(asked_.find("\r\nProxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"),
            std::string::npos);
}

TEST_F(HttpTunnelTest, SaysWhyItWasRefused) {
  Connect("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  test::RunLoop(*loop_);

  EXPECT_FALSE(connected_);
  EXPECT_EQ(reason_, CloseReason::kConnectFailed);
  EXPECT_EQ(context_, "proxy to turn.example:443: HTTP/1.1 407 Proxy Authentication Required");
}

TEST_F(HttpTunnelTest, ReadsNoEndlessAnswer) {
  Connect(std::string(40'000, 'a'));
  test::RunLoop(*loop_);

  EXPECT_EQ(reason_, CloseReason::kConnectFailed);
  EXPECT_EQ(context_, "proxy to turn.example:443: its answer is too long");
}

}  // namespace
}  // namespace floe::uv
