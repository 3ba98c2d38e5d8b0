#include "base/tls/stream.h"

#include <array>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <optional>
#include <utility>

#include "base/check.h"

namespace floe::tls {
namespace {

constexpr std::size_t kMaxRecord = 16UL * 1024;  // bytes of plain text, RFC 8446 section 5.1

/// Memory in place of a socket on both sides of `ssl`.
bool UseMemory(SSL* ssl) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return false;
  }
  SSL_set_bio(ssl, in, out);  // Takes both.
  return true;
}

/// RFC 9525: the certificate has to name the server we meant, whatever address it is at.
bool Expect(SSL* ssl, const std::string& server) {
  if (ParseIpAddress(server)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server.c_str()) == 1;
  }
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // SSL_set_tlsext_host_name() casts in the old style.
  return SSL_set1_host(ssl, server.c_str()) == 1 &&
         SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(server.c_str())) == 1;
}

bool Offer(SSL* ssl, const std::vector<std::string>& protocols) {
  std::vector<std::uint8_t> list;  // Each with its length in front, RFC 7301 section 3.1.
  for (const std::string& protocol : protocols) {
    list.push_back(static_cast<std::uint8_t>(protocol.size()));
    list.insert(list.end(), protocol.begin(), protocol.end());
  }
  // The one function of OpenSSL that returns 0 for success.
  return list.empty() ||
         SSL_set_alpn_protos(ssl, list.data(), static_cast<unsigned>(list.size())) == 0;
}

}  // namespace

Result<std::unique_ptr<Stream>> Stream::MakeClient(uv::Loop& loop, Context& context,
                                                   std::unique_ptr<uv::ByteStream> below,
                                                   const std::string& server,
                                                   const std::vector<std::string>& protocols,
                                                   TimePoint deadline) {
  Handle ssl(SSL_new(context.raw()));
  if (!ssl || !UseMemory(ssl.get()) || !Expect(ssl.get(), server) || !Offer(ssl.get(), protocols)) {
    return Fail(MakeError("TLS with " + server + ": " + TakeComplaint()));
  }
  SSL_set_connect_state(ssl.get());
  if (SSL_SESSION* session = context.FindSession(server)) {
    SSL_set_session(ssl.get(), session);
  }
  SSL_CTX_sess_set_new_cb(context.raw(), OnSession);
  return std::make_unique<Stream>(loop, context, std::move(ssl), std::move(below), server,
                                  deadline);
}

Result<std::unique_ptr<Stream>> Stream::MakeServer(uv::Loop& loop, Context& context,
                                                   std::unique_ptr<uv::ByteStream> below,
                                                   TimePoint deadline) {
  const auto remote = below->remote_address();
  std::string peer = remote ? ToString(*remote) : "a client";
  Handle ssl(SSL_new(context.raw()));
  if (!ssl || !UseMemory(ssl.get())) {
    return Fail(MakeError("TLS with " + peer + ": " + TakeComplaint()));
  }
  SSL_set_accept_state(ssl.get());
  return std::make_unique<Stream>(loop, context, std::move(ssl), std::move(below), std::move(peer),
                                  deadline);
}

Stream::Stream(uv::Loop& loop, Context& context, Handle ssl, std::unique_ptr<uv::ByteStream> below,
               std::string peer, TimePoint deadline)
    : context_(context),
      ssl_(std::move(ssl)),
      below_(std::move(below)),
      peer_(std::move(peer)),
      deadline_(loop, [this] {
        Close(uv::CloseReason::kTimedOut, Error{.code = std::make_error_code(std::errc::timed_out),
                                                .context = "TLS with " + peer_});
      }) {
  SSL_set_app_data(ssl_.get(), this);
  deadline_.ArmAt(deadline);
}

int Stream::OnSession(SSL* ssl, SSL_SESSION* session) {
  auto* stream = static_cast<Stream*>(SSL_get_app_data(ssl));
  stream->context_.KeepSession(stream->peer_, Context::Session(session));
  return 1;  // It is ours.
}

void Stream::Start(uv::StreamHandlers handlers) {
  handlers_ = std::move(handlers);
  const bool open = below_->state() == State::kOpen;
  below_->Start({.on_connect = [this] { Handshake(); },
                 .on_data = [this](Bytes bytes) { HandleBytes(bytes); },
                 .on_drain =
                     [this] {
                       if (const auto on_drain = handlers_.on_drain) {
                         on_drain();
                       }
                     },
                 .on_end = [this] { HandleEnd(); },
                 .on_close =
                     [this](uv::CloseReason reason, const Error& error) {
                       Close(state_ == State::kConnecting && reason == uv::CloseReason::kEnded
                                 ? uv::CloseReason::kConnectFailed
                                 : reason,
                             error);
                     }});
  if (open) {
    Handshake();
  }
}

void Stream::HandleBytes(Bytes bytes) {
  // A memory BIO takes all there is.
  FLOE_CHECK(BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size())) ==
             static_cast<int>(bytes.size()));
  if (state_ == State::kConnecting && !Handshake()) {
    return;
  }
  if (state_ == State::kOpen) {
    ReadPlain();
  }
}

bool Stream::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  FlushBelow();  // The handshake, or the alert that says what is wrong.
  if (result == 1) {
    return HandleOpen();
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) {
    return true;
  }
  Close(uv::CloseReason::kConnectFailed, MakeError("TLS with " + peer_ + ": " + Complaint()));
  return false;
}

bool Stream::HandleOpen() {
  state_ = State::kOpen;
  deadline_.ArmAt(std::nullopt);
  if (!pending_.empty()) {
    SSL_write(ssl_.get(), pending_.data(), static_cast<int>(pending_.size()));
    pending_ = {};
    FlushBelow();
  }
  if (shut_down_) {
    shut_down_ = false;
    Shutdown();
  }
  const std::weak_ptr<const bool> alive = alive_;
  if (const auto on_connect = std::exchange(handlers_.on_connect, nullptr)) {
    on_connect();
  }
  return !alive.expired() && state_ == State::kOpen;
}

void Stream::ReadPlain() {
  std::array<std::uint8_t, kMaxRecord> plain;  // NOLINT: filled before it is read.
  const std::weak_ptr<const bool> alive = alive_;
  while (state_ == State::kOpen) {
    ERR_clear_error();
    const int size = SSL_read(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    if (size <= 0) {
      FlushBelow();  // An update of keys may want an answer.
      switch (SSL_get_error(ssl_.get(), size)) {
        case SSL_ERROR_WANT_READ:
          return;
        case SSL_ERROR_ZERO_RETURN:
          HandleEnd();
          return;
        default:
          Close(uv::CloseReason::kFailed, MakeError("TLS with " + peer_ + ": " + Complaint()));
          return;
      }
    }
    if (const auto on_data = handlers_.on_data) {
      on_data(Bytes(plain).first(static_cast<std::size_t>(size)));
      if (alive.expired()) {
        return;
      }
    }
  }
}

void Stream::HandleEnd() {
  if (state_ == State::kConnecting) {
    Close(uv::CloseReason::kConnectFailed,
          MakeError("TLS with " + peer_ + ": the connection ended during the handshake"));
    return;
  }
  if (std::exchange(remote_ended_, true)) {
    return;
  }
  const auto on_end = handlers_.on_end;
  if (!on_end || shut_down_) {
    Close(uv::CloseReason::kEnded, Error{.code = {}, .context = peer_});
    return;
  }
  on_end();
}

void Stream::Write(Bytes data) {
  if (state_ == State::kClosed || shut_down_ || data.empty()) {
    return;
  }
  if (state_ == State::kConnecting) {
    pending_.insert(pending_.end(), data.begin(), data.end());
    return;
  }
  // Into memory, so that all of it is taken. A connection that has failed says so when it is read.
  ERR_clear_error();
  SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
  FlushBelow();
}

void Stream::Shutdown() {
  if (state_ == State::kClosed || std::exchange(shut_down_, true) || state_ != State::kOpen) {
    return;
  }
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  FlushBelow();
  below_->Shutdown();
}

void Stream::FlushBelow() {
  char* data = nullptr;
  BIO* out = SSL_get_wbio(ssl_.get());
  // BIO_get_mem_data() casts in the old style.
  const long size = BIO_ctrl(out, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
  if (size > 0 && below_) {
    below_->Write(AsBytes({data, static_cast<std::size_t>(size)}));
  }
  BIO_ctrl(out, BIO_CTRL_RESET, 0, nullptr);
}

std::size_t Stream::write_queue_size() const {
  return pending_.size() + (below_ ? below_->write_queue_size() : 0);
}

Result<SocketAddress> Stream::local_address() const {
  return below_ ? below_->local_address()
                : Result<SocketAddress>(Fail(MakeError("TLS with " + peer_ + ": closed")));
}

Result<SocketAddress> Stream::remote_address() const {
  return below_ ? below_->remote_address()
                : Result<SocketAddress>(Fail(MakeError("TLS with " + peer_ + ": closed")));
}

std::string_view Stream::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return AsText({name, size});
}

std::optional<std::array<std::uint8_t, 32>> Stream::channel_binding() const {
  constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";  // RFC 9266 section 2
  if (state_ != State::kOpen ||
      (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1)) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 32> binding{};
  // The context is empty, which in TLS 1.2 is not the same as none.
  const std::uint8_t empty = 0;
  if (SSL_export_keying_material(ssl_.get(), binding.data(), binding.size(), kLabel.data(),
                                 kLabel.size(), &empty, 0, 1) != 1) {
    return std::nullopt;
  }
  return binding;
}

std::string Stream::Complaint() const {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) {
    ERR_clear_error();
    return std::string("the certificate is refused: ") + X509_verify_cert_error_string(verified);
  }
  return TakeComplaint();
}

void Stream::Close(uv::CloseReason reason, Error error) {
  state_ = State::kClosed;
  deadline_.ArmAt(std::nullopt);
  below_.reset();
  const auto on_close = std::exchange(handlers_.on_close, nullptr);
  if (on_close) {
    on_close(reason, error);  // May destroy this object, so nothing comes after it.
  }
}

}  // namespace floe::tls
