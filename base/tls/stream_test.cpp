#include "base/tls/stream.h"

#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "base/tls/test_certificate.h"
#include "base/uv/listener.h"
#include "base/uv/stream.h"
#include "tests/support/run_loop.h"

namespace floe::tls {
namespace {

using std::chrono::seconds;

/// A client and an echo server over a real connection on the loopback.
class TlsStreamTest : public ::testing::Test {
 protected:
  void Listen(const std::string& name) {
    certificate_.emplace(name);
    server_context_ = *Context::MakeServer(certificate_->certificate(), certificate_->key());
    setenv("SSL_CERT_FILE", certificate_->certificate().c_str(), 1);
    client_context_ = *Context::MakeClient();
    unsetenv("SSL_CERT_FILE");
    listener_ =
        *uv::Listener::ListenTcp(*loop_, *ParseSocketAddress("127.0.0.1:0"), [this](auto stream) {
          server_ = *Stream::MakeServer(*loop_, *server_context_, std::move(stream),
                                        uv::Loop::Now() + seconds(9));
          server_->Start({.on_data = [this](Bytes data) { server_->Write(data); },
                          .on_end = [this] { server_->Shutdown(); }});
        });
  }

  /// Connects, says `text`, and waits until it comes back or the stream is closed.
  void Talk(const std::string& server, const std::string& text) {
    got_.clear();
    closed_.reset();
    const TimePoint deadline = uv::Loop::Now() + seconds(9);
    client_ =
        *Stream::MakeClient(*loop_, *client_context_,
                            *uv::Stream::ConnectTcp(*loop_, *listener_->local_address(), deadline),
                            server, {"stun.turn"}, deadline);
    client_->Start({.on_connect = [this] { connected_ = true; },
                    .on_data =
                        [=, this](Bytes data) {
                          got_ += AsText(data);
                          if (got_.size() == text.size()) {
                            loop_->Stop();
                          }
                        },
                    .on_close =
                        [this](uv::CloseReason reason, const Error& error) {
                          closed_ = reason;
                          context_ = error.context;
                          loop_->Stop();
                        }});
    client_->Write(AsBytes(text));
    floe::test::RunLoop(*loop_);
  }

  std::optional<test::Certificate> certificate_;
  std::unique_ptr<Context> client_context_;
  std::unique_ptr<Context> server_context_;
  std::unique_ptr<uv::Loop> loop_ = *uv::Loop::Make();
  std::unique_ptr<uv::Listener> listener_;
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
  std::string got_;
  std::string context_;
  std::optional<uv::CloseReason> closed_;
  bool connected_ = false;
};

TEST_F(TlsStreamTest, CarriesWhatWasWrittenBeforeItWasOpen) {
  Listen("DNS:turn.example");
  Talk("turn.example", "hello");

  EXPECT_TRUE(connected_);
  EXPECT_EQ(got_, "hello");
  EXPECT_EQ(client_->remote_address()->port, listener_->local_address()->port);
}

TEST_F(TlsStreamTest, HasOneBindingAtBothEndsAndAnotherEachTime) {
  Listen("DNS:turn.example");
  Talk("turn.example", "hello");
  const auto first = client_->channel_binding();

  EXPECT_NE(first, std::nullopt);
  EXPECT_EQ(first, server_->channel_binding());
  Talk("turn.example", "hello");
  EXPECT_NE(first, client_->channel_binding());
}

TEST_F(TlsStreamTest, CarriesMoreThanARecord) {
  Listen("DNS:turn.example");
  const std::string much(300'000, 'x');
  Talk("turn.example", much);

  EXPECT_EQ(got_, much);
}

TEST_F(TlsStreamTest, TakesACertificateForTheAddress) {
  Listen("IP:127.0.0.1");
  Talk("127.0.0.1", "hello");

  EXPECT_EQ(got_, "hello");
}

TEST_F(TlsStreamTest, RefusesACertificateForAnotherName) {
  Listen("DNS:other.example");
  Talk("turn.example", "secret");

  EXPECT_FALSE(connected_);
  EXPECT_EQ(closed_, uv::CloseReason::kConnectFailed);
  EXPECT_EQ(context_, "TLS with turn.example: the certificate is refused: hostname mismatch");
}

TEST_F(TlsStreamTest, RefusesACertificateForAnotherAddress) {
  Listen("IP:127.0.0.2");
  Talk("127.0.0.1", "secret");

  EXPECT_FALSE(connected_);
  EXPECT_EQ(closed_, uv::CloseReason::kConnectFailed);
}

TEST_F(TlsStreamTest, RefusesACertificateNobodyHasSigned) {
  Listen("DNS:turn.example");
  const test::Certificate other("DNS:turn.example");
  setenv("SSL_CERT_FILE", other.certificate().c_str(), 1);
  client_context_ = *Context::MakeClient();
  unsetenv("SSL_CERT_FILE");
  Talk("turn.example", "secret");

  EXPECT_FALSE(connected_);
  EXPECT_EQ(closed_, uv::CloseReason::kConnectFailed);
}

TEST_F(TlsStreamTest, RefusesWhatIsNotTls) {
  Listen("DNS:turn.example");
  std::unique_ptr<uv::Stream> plain;
  listener_ =
      *uv::Listener::ListenTcp(*loop_, *ParseSocketAddress("127.0.0.1:0"), [&](auto stream) {
        plain = std::move(stream);
        plain->Start({});
        plain->Write(AsBytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
      });
  Talk("turn.example", "secret");

  EXPECT_FALSE(connected_);
  EXPECT_EQ(closed_, uv::CloseReason::kConnectFailed);
}

TEST_F(TlsStreamTest, ContinuesASession) {
  Listen("DNS:turn.example");
  Talk("turn.example", "hello");
  EXPECT_FALSE(client_->resumed());
  Talk("turn.example", "again");

  EXPECT_TRUE(client_->resumed());
  EXPECT_EQ(got_, "again");
}

TEST_F(TlsStreamTest, EndsOnBothSides) {
  Listen("DNS:turn.example");
  Talk("turn.example", "hello");
  client_->Shutdown();
  floe::test::RunLoop(*loop_);

  EXPECT_EQ(closed_, uv::CloseReason::kEnded);
}

}  // namespace
}  // namespace floe::tls
