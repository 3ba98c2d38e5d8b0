#include "tests/sim/address_pool.h"

#include "base/bytes.h"
#include "base/check.h"

namespace floe::sim {

IpAddress AddressPool::Take() {
  if (left_ > 0) {
    --left_;
    IpAddress ip = network_;
    const std::size_t offset = ip.is_v4() ? 2 : 14;
    const auto low = static_cast<std::uint16_t>(LoadBe<std::uint16_t>(ip.bytes, offset) + next_);
    StoreBe<std::uint16_t>(ip.bytes, offset, low);
    ++next_;
    return ip;
  }
  FLOE_CHECK(!returned_.empty());
  const IpAddress ip = returned_.front();
  returned_.pop_front();
  return ip;
}

}  // namespace floe::sim
