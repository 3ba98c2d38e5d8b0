// What the TLS connections of one side have in common: whom to trust, or who we are.

#pragma once

#include <map>
#include <memory>
#include <openssl/ssl.h>
#include <string>

#include "base/result.h"

namespace floe::tls {

/// Describes what OpenSSL has complained about last, and forgets it. Has no secrets.
[[nodiscard]] std::string TakeComplaint();

/// An error of TLS: `context` says it all.
[[nodiscard]] Error MakeError(std::string context);

/// Must outlive the streams made with it.
class Context {
 public:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };

  using Handle = std::unique_ptr<SSL_CTX, FreeContext>;
  using Session = std::unique_ptr<SSL_SESSION, FreeSession>;

  /// Trusts the system's roots, or those of SSL_CERT_FILE and SSL_CERT_DIR.
  [[nodiscard]] static Result<std::unique_ptr<Context>> MakeClient();

  /// `certificate` is a PEM file with the chain, the server's own first; `key` its key.
  [[nodiscard]] static Result<std::unique_ptr<Context>> MakeServer(const std::string& certificate,
                                                                   const std::string& key);

  /// Use the functions above.
  explicit Context(Handle handle);

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] SSL_CTX* raw() const { return handle_.get(); }

  /// The latest session with this server, for a shorter handshake. Null if there is none.
  [[nodiscard]] SSL_SESSION* FindSession(const std::string& server) const;
  void KeepSession(const std::string& server, Session session);

 private:
  Handle handle_;
  std::map<std::string, Session> sessions_;  // By the server's name; few.
};

}  // namespace floe::tls
