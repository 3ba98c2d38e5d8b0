#include "tunnel/prefix_trie.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace floe::tunnel {
namespace {

constexpr std::uint8_t kMaxLength = 128;  // bits

/// Requires index < 128.
std::size_t BitAt(AddressBits address, std::uint8_t index) {
  const std::uint64_t word = index < 64 ? address.high : address.low;
  return (word >> (63U - index % 64U)) & 1U;
}

/// The number of leading bits that are the same.
std::uint8_t CommonLength(AddressBits a, AddressBits b) {
  const std::uint64_t high = a.high ^ b.high;
  const int common = high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(a.low ^ b.low);
  return static_cast<std::uint8_t>(common);
}

AddressBits Masked(AddressBits address, std::uint8_t length) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  if (length == 0) {
    return {};
  }
  if (length <= 64) {
    return {address.high & (kAll << (64U - length)), 0};
  }
  return {address.high, address.low & (kAll << (128U - length))};
}

}  // namespace

AddressBits AddressBits::Of(const IpAddress& ip) {
  // Behind the four bytes of an IPv4 address there are zeros.
  return {LoadBe<std::uint64_t>(ip.bytes, 0), LoadBe<std::uint64_t>(ip.bytes, 8)};
}

void PrefixTrie::Insert(AddressBits address, std::uint8_t length, Owner owner) {
  FLOE_CHECK(length <= kMaxLength);
  address = Masked(address, length);
  Link* link = &root_;
  while (*link) {
    Node& node = **link;
    const std::uint8_t common =
        std::min({CommonLength(node.address, address), node.length, length});
    if (common == node.length && common == length) {
      node.owner = owner;
      return;
    }
    if (common < node.length) {
      // The paths part above this node: a node for the part they share comes between.
      auto fork = std::make_unique<Node>();
      fork->address = Masked(address, common);
      fork->length = common;
      fork->children[BitAt(node.address, common)] = std::move(*link);
      *link = std::move(fork);
      continue;
    }
    link = &node.children[BitAt(address, node.length)];
  }
  *link = std::make_unique<Node>();
  (*link)->address = address;
  (*link)->length = length;
  (*link)->owner = owner;
}

bool PrefixTrie::Remove(AddressBits address, std::uint8_t length, Owner owner) {
  FLOE_CHECK(length <= kMaxLength);
  address = Masked(address, length);
  Link* parent = nullptr;
  Link* link = &root_;
  while (*link && (*link)->length < length &&
         CommonLength((*link)->address, address) >= (*link)->length) {
    parent = link;
    link = &(*link)->children[BitAt(address, (*link)->length)];
  }
  if (!*link || (*link)->length != length || CommonLength((*link)->address, address) < length ||
      (*link)->owner != owner) {
    return false;
  }
  (*link)->owner.reset();
  Collapse(*link);
  if (parent != nullptr) {
    Collapse(*parent);
  }
  return true;
}

std::optional<PrefixTrie::Owner> PrefixTrie::Find(AddressBits address) const {
  std::optional<Owner> owner;
  const Node* node = root_.get();
  while (node != nullptr && CommonLength(node->address, address) >= node->length) {
    if (node->owner) {
      owner = node->owner;
    }
    if (node->length == kMaxLength) {
      break;
    }
    node = node->children[BitAt(address, node->length)].get();
  }
  return owner;
}

// Takes out a node without an owner that does not fork.
void PrefixTrie::Collapse(Link& link) {
  if (link->owner || (link->children[0] && link->children[1])) {
    return;
  }
  Link child = std::move(link->children[link->children[0] ? 0 : 1]);
  link = std::move(child);
}

}  // namespace floe::tunnel
