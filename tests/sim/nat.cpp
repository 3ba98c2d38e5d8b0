#include "tests/sim/nat.h"

#include <algorithm>

namespace floe::sim {
namespace {

constexpr std::uint32_t kFirstPort = 1024;
constexpr std::uint32_t kPorts = 65536 - kFirstPort;
constexpr int kPortTries = 64;
constexpr Duration kUnanswered = std::chrono::seconds(30);  // nf_conntrack_udp_timeout

}  // namespace

NatOptions NatOptions::Masquerade() {
  return {.mapping = Mapping::kAddressAndPortDependent,
          .filtering = Filtering::kAddressAndPortDependent,
          .ports = PortChoice::kPreserve,
          .refresh = Refresh::kBothWays,
          .unanswered_timeout = kUnanswered};
}

NatOptions NatOptions::Symmetric() {
  NatOptions options = Masquerade();
  options.ports = PortChoice::kRandom;
  return options;
}

NatOptions NatOptions::Cone(Filtering filtering) {
  return {.mapping = Mapping::kEndpointIndependent, .filtering = filtering};
}

SocketAddress Nat::Key(const SocketAddress& remote) const {
  switch (options_.mapping) {
    case Mapping::kEndpointIndependent:
      return {};
    case Mapping::kAddressDependent:
      return {remote.ip, 0};
    case Mapping::kAddressAndPortDependent:
      break;
  }
  return remote;
}

Nat::Entry* Nat::Find(const SocketAddress& inside, const SocketAddress& key) {
  const auto found = std::ranges::find_if(
      mappings_, [&](const Entry& entry) { return entry.inside == inside && entry.key == key; });
  return found == mappings_.end() ? nullptr : &*found;
}

bool Nat::IsTaken(std::uint16_t port, const SocketAddress& inside, const SocketAddress& key,
                  PortChoice choice) const {
  // One outside port can serve several inside endpoints only if the remote tells them apart.
  const bool overloads = options_.mapping == Mapping::kAddressAndPortDependent &&
                         options_.filtering == Filtering::kAddressAndPortDependent;
  return std::ranges::any_of(mappings_, [&](const Entry& entry) {
    if (entry.port != port) {
      return false;
    }
    if (choice == PortChoice::kRandom) {
      return true;
    }
    return entry.inside != inside && !(overloads && entry.key != key);
  });
}

std::optional<std::uint16_t> Nat::PickPort(const SocketAddress& inside, const SocketAddress& key) {
  if (options_.ports == PortChoice::kPreserve &&
      !IsTaken(inside.port, inside, key, PortChoice::kPreserve)) {
    return inside.port;
  }
  for (int i = 0; i < kPortTries; ++i) {
    const auto port = options_.ports == PortChoice::kSequential
                          ? std::max<std::uint16_t>(kFirstPort, next_port_++)
                          : static_cast<std::uint16_t>(kFirstPort + random_.Next() % kPorts);
    if (!IsTaken(port, inside, key, PortChoice::kRandom)) {
      return port;
    }
  }
  return std::nullopt;
}

void Nat::Prolong(Entry& entry, Contact& contact, TimePoint now) const {
  const Duration life =
      contact.answered ? options_.timeout : std::min(options_.timeout, options_.unanswered_timeout);
  contact.expires = std::max(contact.expires, now + life);
  entry.expires = std::max(entry.expires, contact.expires);
}

void Nat::Prune(TimePoint now) {
  std::erase_if(mappings_, [&](const Entry& entry) { return entry.expires <= now; });
}

std::optional<std::uint16_t> Nat::TranslateOut(TimePoint now, const SocketAddress& inside,
                                               const SocketAddress& remote) {
  Prune(now);
  const SocketAddress key = Key(remote);
  Entry* entry = Find(inside, key);
  if (entry == nullptr) {
    const auto port = PickPort(inside, key);
    if (!port) {
      return std::nullopt;
    }
    entry = &mappings_.emplace_back(Entry{.inside = inside, .key = key, .port = *port});
  }
  std::erase_if(entry->contacts, [&](const Contact& contact) { return contact.expires <= now; });
  auto contact = std::ranges::find(entry->contacts, remote, &Contact::remote);
  if (contact == entry->contacts.end()) {
    contact = entry->contacts.insert(contact, Contact{.remote = remote});
  }
  Prolong(*entry, *contact, now);
  return entry->port;
}

Nat::Contact* Nat::Permit(Entry& entry, TimePoint now, const SocketAddress& remote) const {
  Contact* permit = nullptr;
  for (Contact& contact : entry.contacts) {
    if (contact.expires <= now) {
      continue;
    }
    if (contact.remote == remote) {
      return &contact;
    }
    if (options_.filtering == Filtering::kAddressDependent && contact.remote.ip == remote.ip) {
      permit = &contact;
    }
  }
  return permit;
}

std::optional<SocketAddress> Nat::TranslateIn(TimePoint now, std::uint16_t port,
                                              const SocketAddress& remote) {
  Prune(now);
  for (Entry& entry : mappings_) {
    if (entry.port != port) {
      continue;
    }
    Contact* permit = Permit(entry, now, remote);
    if (permit == nullptr && options_.filtering != Filtering::kEndpointIndependent) {
      continue;
    }
    if (permit != nullptr) {
      permit->answered = true;
    }
    if (options_.refresh == Refresh::kBothWays) {
      if (permit != nullptr) {
        Prolong(entry, *permit, now);
      } else {
        entry.expires = std::max(entry.expires, now + options_.timeout);
      }
    }
    return entry.inside;
  }
  for (const auto& [forwarded, inside] : forwards_) {
    if (forwarded == port && Find(inside, Key(remote)) == nullptr) {
      // The answers leave from the same port, whatever the NAT does with what we begin.
      mappings_.push_back({.inside = inside,
                           .key = Key(remote),
                           .port = port,
                           .expires = now + options_.timeout,
                           .contacts = {{.remote = remote, .expires = now + options_.timeout}}});
      return inside;
    }
  }
  return std::nullopt;
}

std::optional<SocketAddress> Nat::TranslateHairpin(TimePoint now, std::uint16_t port) {
  Prune(now);
  const auto found = std::ranges::find(mappings_, port, &Entry::port);
  if (found == mappings_.end()) {
    return std::nullopt;
  }
  return found->inside;
}

std::size_t Nat::CountMappings(TimePoint now) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(mappings_, [&](const Entry& entry) { return entry.expires > now; }));
}

}  // namespace floe::sim
