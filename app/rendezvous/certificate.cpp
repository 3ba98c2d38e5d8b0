#include "app/rendezvous/certificate.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace floe::rendezvous {
namespace {

constexpr Duration kLookInterval = std::chrono::seconds(10);

}  // namespace

Result<std::unique_ptr<Certificate>> Certificate::Make(uv::Loop& loop, TlsFiles files,
                                                       OnContext on_context) {
  auto certificate = std::make_unique<Certificate>(loop, std::move(files), std::move(on_context));
  if (auto read = certificate->Read(); !read) {
    return Fail(std::move(read.error()));
  }
  return certificate;
}

Certificate::Certificate(uv::Loop& loop, TlsFiles files, OnContext on_context)
    : files_(std::move(files)),
      on_context_(std::move(on_context)),
      timer_(loop, [this] { Look(); }) {
  timer_.ArmAt(uv::Loop::Now() + kLookInterval);
}

Result<void> Certificate::Read() {
  seen_ = LastChanges();
  auto context = tls::Context::MakeServer(files_.certificate, files_.key);
  if (!context) {
    return Fail(std::move(context.error()));
  }
  on_context_(std::move(*context));
  return {};
}

/// Of a file that is not there, the beginning of time.
Certificate::Times Certificate::LastChanges() const {
  std::error_code code;
  return {std::filesystem::last_write_time(files_.certificate, code),
          std::filesystem::last_write_time(files_.key, code)};
}

/// Certificate and key are two files: between the two changes they do not fit each other.
void Certificate::Look() {
  timer_.ArmAt(uv::Loop::Now() + kLookInterval);
  if (LastChanges() == seen_) {
    return;
  }
  if (const auto read = Read()) {
    log::Info("the certificate {} was read again", files_.certificate);
  } else {
    log::Warn("{}; the last certificate stays in use", read.error().context);
  }
}

}  // namespace floe::rendezvous
