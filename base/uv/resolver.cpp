#include "base/uv/resolver.h"

#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <tuple>
#include <utility>
#include <uv.h>

#include "base/uv/handle.h"
#include "base/uv/native_address.h"

namespace floe::uv {
namespace {

/// What getaddrinfo() says is no errno.
class ResolveCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "resolve"; }

  [[nodiscard]] std::string message(int value) const override { return uv_strerror(-value); }
};

Error ResolveError(int status, const std::string& host) {
  static const ResolveCategory category;
  return Error{.code = {-status, category}, .context = "resolve " + host};
}

std::vector<SocketAddress> Collect(const addrinfo* list, std::uint16_t port) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (auto address = FromNative(entry->ai_addr)) {
      address->port = port;
      addresses.push_back(*address);
    }
  }
  return addresses;
}

}  // namespace

struct Resolver::Request {
  uv_getaddrinfo_t raw{};
  Resolver* owner = nullptr;  // Null once cancelled.
  std::string host;
  std::uint16_t port = 0;
  OnResolved on_resolved;

  static void OnDone(uv_getaddrinfo_t* raw, int status, addrinfo* list) {
    const std::unique_ptr<Request> request(static_cast<Request*>(raw->data));
    const std::unique_ptr<addrinfo, decltype(&uv_freeaddrinfo)> owned(list, uv_freeaddrinfo);
    if (request->owner == nullptr) {
      return;
    }
    request->owner->request_ = nullptr;
    auto addresses = Collect(list, request->port);
    if (status == 0 && addresses.empty()) {
      status = UV_EAI_NODATA;
    }
    if (status != 0) {
      request->on_resolved(Fail(ResolveError(status, request->host)));
      return;
    }
    request->on_resolved(std::move(addresses));
  }
};

Resolver::Resolver(Loop& loop) : loop_(loop) {}

Resolver::~Resolver() {
  Cancel();
}

Result<void> Resolver::Start(const std::string& host, std::uint16_t port, OnResolved on_resolved) {
  Cancel();
  auto request = std::make_unique<Request>();
  request->raw.data = request.get();
  request->owner = this;
  request->host = host;
  request->port = port;
  request->on_resolved = std::move(on_resolved);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;  // Else every address comes once for each type.
  const int status = uv_getaddrinfo(loop_.raw(), &request->raw, Request::OnDone, host.c_str(),
                                    /*service=*/nullptr, &hints);
  if (status != 0) {
    return Fail(ResolveError(status, host));
  }
  request_ = request.release();  // OnDone() always comes, and frees it.
  return {};
}

void Resolver::Cancel() {
  if (request_ != nullptr) {
    request_->owner = nullptr;
    // Does nothing for a lookup that has begun. That one ends by itself.
    std::ignore = uv_cancel(reinterpret_cast<uv_req_t*>(&request_->raw));
    request_ = nullptr;
  }
}

}  // namespace floe::uv
