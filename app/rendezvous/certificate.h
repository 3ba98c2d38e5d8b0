// The certificate of a server, read again when its files change.

#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>

#include "app/rendezvous/config.h"
#include "base/result.h"
#include "base/tls/context.h"
#include "base/uv/loop.h"
#include "base/uv/timer.h"

namespace floe::rendezvous {

/// Looks at the files every ten seconds: what renews certificates need not know of us.
class Certificate {
 public:
  using OnContext = std::function<void(std::shared_ptr<tls::Context>)>;

  /// Calls `on_context` at once, and for each change. Fails if the files cannot be used now; when
  /// that is so later, a warning is logged and the last certificate stays. The loop must outlive
  /// it.
  [[nodiscard]] static Result<std::unique_ptr<Certificate>> Make(uv::Loop& loop, TlsFiles files,
                                                                 OnContext on_context);

  /// Use Make().
  Certificate(uv::Loop& loop, TlsFiles files, OnContext on_context);

  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  /// Reads the files now.
  [[nodiscard]] Result<void> Read();

 private:
  using Times = std::array<std::filesystem::file_time_type, 2>;

  [[nodiscard]] Times LastChanges() const;
  void Look();

  TlsFiles files_;
  OnContext on_context_;
  Times seen_{};
  uv::Timer timer_;
};

}  // namespace floe::rendezvous
