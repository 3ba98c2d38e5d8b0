#include "base/tls/context.h"

#include <openssl/err.h>
#include <utility>

namespace floe::tls {
namespace {

constexpr std::size_t kMaxSessions = 32;

Result<Context::Handle> MakeHandle(const SSL_METHOD* method) {
  Context::Handle handle(SSL_CTX_new(method));
  if (!handle || SSL_CTX_set_min_proto_version(handle.get(), TLS1_2_VERSION) != 1) {
    return Fail(MakeError("TLS: " + TakeComplaint()));
  }
  SSL_CTX_set_options(handle.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(handle.get(), SSL_MODE_RELEASE_BUFFERS);
  return handle;
}

}  // namespace

std::string TakeComplaint() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

Error MakeError(std::string context) {
  return Error{.code = std::make_error_code(std::errc::protocol_error),
               .context = std::move(context)};
}

Result<std::unique_ptr<Context>> Context::MakeClient() {
  auto handle = MakeHandle(TLS_client_method());
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  if (SSL_CTX_set_default_verify_paths(handle->get()) != 1) {
    return Fail(MakeError("trusted certificates: " + TakeComplaint()));
  }
  ERR_clear_error();
  SSL_CTX_set_verify(handle->get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(handle->get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  return std::make_unique<Context>(std::move(*handle));
}

Result<std::unique_ptr<Context>> Context::MakeServer(const std::string& certificate,
                                                     const std::string& key) {
  auto handle = MakeHandle(TLS_server_method());
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  if (SSL_CTX_use_certificate_chain_file(handle->get(), certificate.c_str()) != 1) {
    return Fail(MakeError("certificate " + certificate + ": " + TakeComplaint()));
  }
  if (SSL_CTX_use_PrivateKey_file(handle->get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(handle->get()) != 1) {
    return Fail(MakeError("key " + key + ": " + TakeComplaint()));
  }
  return std::make_unique<Context>(std::move(*handle));
}

Context::Context(Handle handle) : handle_(std::move(handle)) {}

SSL_SESSION* Context::FindSession(const std::string& server) const {
  const auto found = sessions_.find(server);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void Context::KeepSession(const std::string& server, Session session) {
  if (sessions_.size() >= kMaxSessions && !sessions_.contains(server)) {
    sessions_.clear();
  }
  sessions_[server] = std::move(session);
}

}  // namespace floe::tls
