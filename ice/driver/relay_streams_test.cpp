#include "ice/driver/relay_streams.h"

#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "base/tls/stream.h"
#include "base/tls/test_certificate.h"
#include "base/uv/listener.h"
#include "base/uv/stream.h"
#include "tests/support/run_loop.h"

namespace floe::ice {
namespace {

using std::chrono::seconds;

/// Streams to a server on the loopback that sends back what it gets.
class RelayStreamsTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("https_proxy"); }

  void Listen() {
    listener_ =
        *uv::Listener::ListenTcp(*loop_, *ParseSocketAddress("127.0.0.1:0"), [this](auto stream) {
          server_ = std::move(stream);
          if (server_tls_) {
            server_ = *tls::Stream::MakeServer(*loop_, *server_tls_, std::move(server_),
                                               uv::Loop::Now() + seconds(9));
          }
          server_->Start({.on_data =
                              [this](Bytes data) {
                                server_got_ += AsText(data);
                                if (server_got_.ends_with("\r\n\r\n")) {
                                  server_->Write(AsBytes("HTTP/1.1 200 OK\r\n\r\n"));
                                } else {
                                  server_->Write(data);
                                }
                              },
                          .on_close =
                              [this](uv::CloseReason, const Error&) {
                                server_ended_ = true;
                                loop_->Stop();
                              }});
        });
  }

  OpenStream To(RelayTransport transport, std::string name = "") const {
    return {.id = 7,
            .remote = *listener_->local_address(),
            .transport = transport,
            .name = std::move(name)};
  }

  std::unique_ptr<uv::Loop> loop_ = *uv::Loop::Make();
  std::unique_ptr<tls::Context> server_tls_;
  std::unique_ptr<uv::Listener> listener_;
  std::unique_ptr<uv::ByteStream> server_;
  std::string server_got_;
  std::string got_;
  std::string reason_;
  std::optional<SocketAddress> local_;
  bool server_ended_ = false;
  RelayStreams streams_{*loop_,
                        0,
                        {.on_open =
                             [this](StreamId id, const SocketAddress& local) {
                               EXPECT_EQ(id, 7U);
                               local_ = local;
                               streams_.Handle(WriteStream{.id = 7, .bytes = {'h', 'i'}});
                             },
                         .on_bytes =
                             [this](StreamId, Bytes bytes) {
                               got_ += AsText(bytes);
                               loop_->Stop();
                             },
                         .on_close =
                             [this](StreamId, std::string_view reason) {
                               reason_ = reason;
                               loop_->Stop();
                             }}};
};

TEST_F(RelayStreamsTest, SpeaksPlainTcp) {
  Listen();
  streams_.Handle(To(RelayTransport::kTcp));
  test::RunLoop(*loop_);

  EXPECT_EQ(got_, "hi");
  EXPECT_EQ(local_->ip, *ParseIpAddress("127.0.0.1"));
}

TEST_F(RelayStreamsTest, SpeaksTlsWithTheServerOfThatName) {
  const tls::test::Certificate certificate("DNS:turn.example");
  server_tls_ = *tls::Context::MakeServer(certificate.certificate(), certificate.key());
  setenv("SSL_CERT_FILE", certificate.certificate().c_str(), 1);
  Listen();
  streams_.Handle(To(RelayTransport::kTls, "turn.example"));
  test::RunLoop(*loop_);
  EXPECT_EQ(got_, "hi");
  streams_.Handle(CloseStream{.id = 7});
  test::RunLoop(*loop_);

  got_.clear();
  streams_.Handle(To(RelayTransport::kTls, "other.example"));
  test::RunLoop(*loop_);
  unsetenv("SSL_CERT_FILE");
  EXPECT_EQ(got_, "");
  EXPECT_NE(reason_.find("hostname mismatch"), std::string::npos);
}

TEST_F(RelayStreamsTest, AsksTheProxyOfTheEnvironmentForTheName) {
  Listen();
  setenv("https_proxy", ("http://" + ToString(*listener_->local_address())).c_str(), 1);
  streams_.Handle(
      OpenStream{.id = 7, .remote = *ParseSocketAddress("192.0.2.1:443"), .name = "turn.example"});
  test::RunLoop(*loop_);

  EXPECT_EQ(got_, "hi");
  EXPECT_TRUE(server_got_.starts_with("CONNECT turn.example:443 HTTP/1.1\r\n"));
}

TEST_F(RelayStreamsTest, WritesAllBeforeItCloses) {
  Listen();
  streams_.Handle(To(RelayTransport::kTcp));
  test::RunLoop(*loop_);
  streams_.Handle(WriteStream{.id = 7, .bytes = {'b', 'y', 'e'}});
  streams_.Handle(CloseStream{.id = 7});
  test::RunLoop(*loop_);

  EXPECT_TRUE(server_ended_);
  EXPECT_EQ(server_got_, "hibye");
  EXPECT_EQ(reason_, "") << "who closes it need not be told";
}

TEST_F(RelayStreamsTest, SaysThatNobodyIsThere) {
  Listen();
  const OpenStream open = To(RelayTransport::kTcp);
  listener_.reset();
  streams_.Handle(open);
  if (reason_.empty()) {
    test::RunLoop(*loop_);
  }

  EXPECT_NE(reason_.find("refused"), std::string::npos);
}

}  // namespace
}  // namespace floe::ice
