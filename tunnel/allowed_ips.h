// Which peer an inner address belongs to: where a packet goes, and who may have sent it.
//
// Source: the WireGuard paper section 2 (cryptokey routing).

#pragma once

#include <cstdint>
#include <optional>

#include "base/socket_address.h"
#include "tunnel/prefix_trie.h"

namespace floe::tunnel {

class AllowedIps {
 public:
  /// Whatever number the caller knows its peers by.
  using Owner = PrefixTrie::Owner;

  /// Gives the prefix to `owner`, whoever had it before.
  void Insert(const IpPrefix& prefix, Owner owner);

  /// Takes the prefix away if `owner` still has it.
  void Remove(const IpPrefix& prefix, Owner owner);

  /// The owner of the longest prefix that contains the address. Scopes are not looked at.
  [[nodiscard]] std::optional<Owner> Find(const IpAddress& ip) const;

 private:
  [[nodiscard]] PrefixTrie& TrieOf(const IpAddress& ip) { return ip.is_v4() ? v4_ : v6_; }

  PrefixTrie v4_;
  PrefixTrie v6_;
};

}  // namespace floe::tunnel
