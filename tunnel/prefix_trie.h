// A binary trie of prefixes with single-child paths left out: finds the longest prefix of an
// address, whatever their number, in at most as many steps as the address has bits.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/socket_address.h"

namespace floe::tunnel {

/// The bits of an address, the first at the top of `high`. IPv4 uses the first 32.
struct AddressBits {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] static AddressBits Of(const IpAddress& ip);
};

/// For one address family.
class PrefixTrie {
 public:
  using Owner = std::uint32_t;

  /// Gives the prefix to `owner`, whoever had it before. Bits behind `length` are ignored.
  /// `length` is at most 128.
  void Insert(AddressBits address, std::uint8_t length, Owner owner);

  /// Takes the prefix away if `owner` has it; false otherwise.
  bool Remove(AddressBits address, std::uint8_t length, Owner owner);

  /// The owner of the longest prefix that contains the address.
  [[nodiscard]] std::optional<Owner> Find(AddressBits address) const;

  [[nodiscard]] bool empty() const { return root_ == nullptr; }

 private:
  struct Node;
  using Link = std::unique_ptr<Node>;

  struct Node {
    AddressBits address;  // Bits behind `length` are 0.
    std::uint8_t length = 0;
    std::optional<Owner> owner;  // None: only a fork, with two children.
    Link children[2];            // By the bit behind `length`.
  };

  static void Collapse(Link& link);

  Link root_;
};

}  // namespace floe::tunnel
