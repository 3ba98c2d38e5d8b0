#include "ice/mdns/resolver.h"

#include <algorithm>
#include <array>
#include <utility>

#include "ice/mdns/message.h"

namespace floe::ice::mdns {
namespace {

constexpr std::uint32_t kSends = 3;
constexpr Duration kGap = std::chrono::seconds(1);  // RFC 6762 section 5.2: no less.

}  // namespace

bool Resolver::Resolve(TimePoint now, std::string_view name) {
  if (std::ranges::find(questions_, name, &Question::name) != questions_.end()) {
    return true;
  }
  if (!IsLocalName(name) || questions_.size() == kMaxNames) {
    return false;
  }
  std::array<std::uint8_t, 2> id{};
  random_.Fill(id);
  questions_.push_back({.name = std::string(name), .id = LoadBe<std::uint16_t>(id, 0)});
  Ask(now, questions_.back());
  return true;
}

void Resolver::Ask(TimePoint now, Question& question) {
  ++question.sends;
  question.wake = now + kGap;
  queries_.push_back(MakeQuery(question.name, question.id));
}

void Resolver::HandleDatagram(Bytes datagram) {
  std::erase_if(questions_, [&](const Question& question) {
    const auto address = ParseAnswer(datagram, question.name, question.id);
    if (address) {
      resolutions_.push_back({.name = question.name, .address = address});
    }
    return address.has_value();
  });
}

void Resolver::HandleTimeout(TimePoint now) {
  std::erase_if(questions_, [&](Question& question) {
    if (question.wake > now) {
      return false;
    }
    if (question.sends < kSends) {
      Ask(now, question);
      return false;
    }
    resolutions_.push_back({.name = question.name, .address = std::nullopt});
    return true;
  });
}

std::optional<std::vector<std::uint8_t>> Resolver::PollQuery() {
  if (queries_.empty()) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> query = std::move(queries_.front());
  queries_.pop_front();
  return query;
}

std::optional<Resolution> Resolver::PollResolution() {
  if (resolutions_.empty()) {
    return std::nullopt;
  }
  Resolution resolution = std::move(resolutions_.front());
  resolutions_.pop_front();
  return resolution;
}

std::optional<TimePoint> Resolver::NextTimeout() const {
  const auto first = std::ranges::min_element(questions_, {}, &Question::wake);
  return first == questions_.end() ? std::nullopt : std::optional(first->wake);
}

}  // namespace floe::ice::mdns
