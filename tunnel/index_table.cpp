#include "tunnel/index_table.h"

#include <array>

#include "base/bytes.h"

namespace floe::tunnel {

IndexTable::Lease IndexTable::Allocate(RandomSource& random, Peer& owner) {
  // Peers times what each may hold is far below 2^32, so this ends soon.
  while (true) {
    std::array<std::uint8_t, 4> bytes{};
    random.Fill(bytes);
    const auto index = LoadLe<std::uint32_t>(bytes, 0);
    if (owners_.emplace(index, &owner).second) {
      return {*this, index};
    }
  }
}

Peer* IndexTable::Find(std::uint32_t index) const {
  const auto found = owners_.find(index);
  return found == owners_.end() ? nullptr : found->second;
}

}  // namespace floe::tunnel
