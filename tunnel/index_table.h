// Names sessions and handshakes by random 32-bit numbers, which the other end puts into what it
// sends us, and finds the peer they belong to.
//
// Source: the WireGuard paper section 5.4.2 (the index I).

#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/random.h"

namespace floe::tunnel {

class Peer;

class IndexTable {
 public:
  /// The use of one index, given back on destruction. The table outlives it.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), index_(other.index_) {}

    Lease& operator=(Lease&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(index_, other.index_);
      return *this;
    }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    ~Lease() {
      if (table_ != nullptr) {
        table_->owners_.erase(index_);
      }
    }

    [[nodiscard]] std::uint32_t index() const { return index_; }

   private:
    friend class IndexTable;

    Lease(IndexTable& table, std::uint32_t index) : table_(&table), index_(index) {}

    IndexTable* table_;
    std::uint32_t index_;
  };

  /// An index that nobody has. `owner` outlives the lease.
  [[nodiscard]] Lease Allocate(RandomSource& random, Peer& owner);

  /// Null if nobody has this index.
  [[nodiscard]] Peer* Find(std::uint32_t index) const;

  [[nodiscard]] std::size_t size() const { return owners_.size(); }

 private:
  std::unordered_map<std::uint32_t, Peer*> owners_;
};

}  // namespace floe::tunnel
