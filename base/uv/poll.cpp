#include "base/uv/poll.h"

#include <utility>

#include "base/check.h"
#include "base/uv/callback.h"

namespace floe::uv {
namespace {

int Events(Interest interest) {
  switch (interest) {
    case Interest::kNone:
      return 0;
    case Interest::kReadable:
      return UV_READABLE;
    case Interest::kWritable:
      return UV_WRITABLE;
    case Interest::kBoth:
      return UV_READABLE | UV_WRITABLE;
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<Poll>> Poll::Make(Loop& loop, int fd, std::function<void()> on_readable,
                                         std::function<void()> on_writable) {
  auto handle = MakeHandle<uv_poll_t>(
      [&](uv_poll_t* raw) { return uv_poll_init(loop.raw(), raw, fd); }, "uv_poll_init");
  if (!handle) {
    return Fail(std::move(handle.error()));
  }
  return std::make_unique<Poll>(std::move(*handle), std::move(on_readable), std::move(on_writable));
}

Poll::Poll(Handle<uv_poll_t> handle, std::function<void()> on_readable,
           std::function<void()> on_writable)
    : handle_(std::move(handle)),
      on_readable_(std::move(on_readable)),
      on_writable_(std::move(on_writable)) {
  handle_->data = this;
}

void Poll::Watch(Interest interest) {
  interest_ = interest;
  if (interest == Interest::kNone) {
    uv_poll_stop(handle_.get());
    return;
  }
  // Fails only if two handles watch one descriptor, which is a mistake of ours.
  FLOE_CHECK(uv_poll_start(handle_.get(), Events(interest), OnEvent) == 0);
}

void Poll::OnEvent(uv_poll_t* handle, int status, int events) {
  auto* poll = static_cast<Poll*>(handle->data);
  if (poll == nullptr) {
    return;
  }
  if (status != 0) {
    // libuv has stopped watching. A netlink socket that has overflowed is to be read on, so resume.
    poll->Watch(poll->interest_);
    events = Events(poll->interest_);
    events = (events & UV_READABLE) != 0 ? UV_READABLE : events;
  }
  if ((events & UV_READABLE) != 0) {
    Invoke(handle, &Poll::on_readable_);
  }
  if ((events & UV_WRITABLE) != 0) {
    Invoke(handle, &Poll::on_writable_);
  }
}

}  // namespace floe::uv
