#include "ice/interleave.h"

#include <algorithm>
#include <iterator>

namespace floe::ice {

std::vector<SocketAddress> InterleaveFamilies(const std::vector<SocketAddress>& addresses) {
  const auto is_v6 = [](const SocketAddress& address) { return address.ip.is_v6(); };
  std::vector<SocketAddress> v6;
  std::vector<SocketAddress> v4;
  std::ranges::partition_copy(addresses, std::back_inserter(v6), std::back_inserter(v4), is_v6);
  std::vector<SocketAddress> mixed;
  for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    for (const auto* family : {&v6, &v4}) {
      if (i < family->size()) {
        mixed.push_back((*family)[i]);
      }
    }
  }
  return mixed;
}

}  // namespace floe::ice
