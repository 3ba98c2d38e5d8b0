#include "app/floed/runtime/drop_report.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace floe::daemon {
namespace {

template <typename Counters>
using Field = std::pair<std::string_view, std::uint64_t Counters::*>;

template <typename Counters, std::size_t N>
void Append(const Counters& counters, const std::array<Field<Counters>, N>& fields,
            std::vector<control::DropStatus>& drops) {
  // Every field is named here: one that is added and not reported does not compile.
  static_assert(sizeof(Counters) == N * sizeof(std::uint64_t), "name the new counter below");
  for (const auto& [name, field] : fields) {
    if (counters.*field > 0) {
      drops.push_back({std::string(name), counters.*field});
    }
  }
}

using T = tunnel::Counters;
using E = engine::EngineCounters;
using P = PathCounters;

constexpr auto kTunnel = std::to_array<Field<T>>({
    {"malformed", &T::malformed},
    {"bad_mac1", &T::bad_mac1},
    {"unknown_key", &T::unknown_key},
    {"bad_handshake", &T::bad_handshake},
    {"replayed_initiation", &T::replayed_initiation},
    {"flooded_initiation", &T::flooded_initiation},
    {"unknown_index", &T::unknown_index},
    {"late_response", &T::late_response},
    {"forged_cookie_reply", &T::forged_cookie_reply},
    {"cookie_needed", &T::cookie_needed},
    {"limited_handshake", &T::limited_handshake},
    {"expired_session", &T::expired_session},
    {"replayed_transport", &T::replayed_transport},
    {"forged_transport", &T::forged_transport},
    {"malformed_inner", &T::malformed_inner},
    {"spoofed_inner", &T::spoofed_inner},
    {"congested", &T::congested},
    {"malformed_packet", &T::malformed_packet},
    {"unroutable_packet", &T::unroutable_packet},
    {"queue_overflow", &T::queue_overflow},
    {"undeliverable_packet", &T::undeliverable_packet},
    {"too_big_told", &T::too_big_told},
    {"too_big_untold", &T::too_big_untold},
});
constexpr auto kEngine = std::to_array<Field<E>>({
    {"unknown_datagrams", &E::unknown_datagrams},
    {"unrouted_stun", &E::unrouted_stun},
    {"no_path", &E::no_path},
    {"unwanted_direct", &E::unwanted_direct},
});

constexpr auto kPath = std::to_array<Field<P>>({
    {"malformed_read", &P::malformed_read},
    {"full_read_queue", &P::full_read_queue},
    {"full_hand_over", &P::full_hand_over},
});

}  // namespace

std::vector<control::DropStatus> ReportDrops(const tunnel::Counters& tunnel,
                                             const engine::EngineCounters& engine,
                                             const PathCounters& path) {
  std::vector<control::DropStatus> drops;
  Append(tunnel, kTunnel, drops);
  Append(engine, kEngine, drops);
  Append(path, kPath, drops);
  return drops;
}

}  // namespace floe::daemon
