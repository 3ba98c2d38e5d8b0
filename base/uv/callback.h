// How a libuv callback reaches the std::function of the object that owns the handle.

#pragma once

#include <utility>

namespace floe::uv {

/// Calls `slot` of the object that `handle->data` points to, unless that object is gone or the slot
/// is empty. The callback may destroy its owner: it runs from a copy on the stack, and Closer
/// clears `data` but keeps the handle's memory until a later turn of the loop.
template <typename T, typename Owner, typename Function, typename... Args>
void Invoke(const T* handle, Function Owner::* slot, Args&&... args) {
  auto* owner = static_cast<Owner*>(handle->data);
  if (owner == nullptr || !(owner->*slot)) {
    return;
  }
  Function callback = std::exchange(owner->*slot, nullptr);
  callback(std::forward<Args>(args)...);
  if (handle->data != nullptr && !(owner->*slot)) {
    owner->*slot = std::move(callback);
  }
}

}  // namespace floe::uv
