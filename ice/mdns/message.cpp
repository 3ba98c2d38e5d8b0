#include "ice/mdns/message.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace floe::ice::mdns {
namespace {

constexpr std::size_t kHeaderSize = 12;      // bytes, RFC 1035 section 4.1.1
constexpr std::size_t kMaxName = 253;        // characters, dots included
constexpr std::size_t kMaxLabel = 63;        // characters
constexpr std::uint16_t kResponse = 0x8000;  // QR
constexpr std::uint16_t kOpcodeAndRcode = 0x780F;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kCacheFlush = 0x8000;  // In the class of an answer, RFC 6762 section 10.2.
constexpr std::uint32_t kMaxRecords = 64;      // More of them is nobody's answer to one question.

/// Reads a message from its beginning. After the first thing that does not fit, everything is 0 and
/// ok() is false.
class Reader {
 public:
  explicit Reader(Bytes message) : message_(message) {}

  [[nodiscard]] bool ok() const { return ok_; }

  std::uint16_t U16() {
    const Bytes bytes = Take(2);
    return ok_ ? LoadBe<std::uint16_t>(bytes, 0) : std::uint16_t{0};
  }

  Bytes Take(std::size_t size) {
    if (!ok_ || message_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return message_.subspan(at_ - size, size);
  }

  /// A name in lower case, without the last dot. A pointer (RFC 1035 section 4.1.4) leads to before
  /// the labels that end with it, so there can be no loop.
  std::string Name() {
    std::string name;
    std::size_t at = at_;
    bool jumped = false;
    while (ok_) {
      if (at >= message_.size()) {
        return Refuse();
      }
      const std::size_t start = at;
      const std::uint8_t size = message_[at++];
      if (size == 0) {
        break;
      }
      if ((size & 0xC0U) == 0xC0U) {
        if (at >= message_.size()) {
          return Refuse();
        }
        const std::size_t target = ((size & 0x3FU) << 8U) | message_[at++];
        if (!jumped) {
          at_ = at;
          lowest_ = start;
        }
        jumped = true;
        if (target >= lowest_) {
          return Refuse();
        }
        lowest_ = target;
        at = target;
        continue;
      }
      if (size > kMaxLabel || message_.size() - at < size || name.size() + size + 1 > kMaxName) {
        return Refuse();
      }
      name += name.empty() ? "" : ".";
      for (const std::uint8_t c : message_.subspan(at, size)) {
        name += static_cast<char>(std::tolower(c));
      }
      at += size;
    }
    if (!jumped) {
      at_ = at;
    }
    return name;
  }

 private:
  std::string Refuse() {
    ok_ = false;
    return {};
  }

  Bytes message_;
  std::size_t at_ = 0;
  std::size_t lowest_ = 0;
  bool ok_ = true;
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

void AppendU16(std::vector<std::uint8_t>& message, std::uint16_t value) {
  message.push_back(static_cast<std::uint8_t>(value >> 8U));
  message.push_back(static_cast<std::uint8_t>(value & 0xFFU));
}

/// Reads the answers that follow, and finds the address of `name` among them.
std::optional<IpAddress> FindAddress(Reader& reader, std::uint32_t records,
                                     const std::string& name) {
  for (std::uint32_t i = 0; i < records && reader.ok(); ++i) {
    const bool named = reader.Name() == name;
    const std::uint16_t type = reader.U16();
    const std::uint16_t record_class = reader.U16();
    reader.Take(4);  // TTL
    const Bytes data = reader.Take(reader.U16());
    if (!reader.ok() || !named || (record_class & ~kCacheFlush) != kClassIn) {
      continue;
    }
    if ((type == kTypeA && data.size() == 4) || (type == kTypeAaaa && data.size() == 16)) {
      return IpAddress::FromBytes(data);
    }
  }
  return std::nullopt;
}

}  // namespace

SocketAddress GroupAddress(IpFamily family) {
  IpAddress group = IpAddress::V4(224, 0, 0, 251);
  if (family == IpFamily::kIpv6) {
    group = IpAddress{.family = IpFamily::kIpv6, .bytes = {0xFF, 0x02}};
    group.bytes[15] = 0xFB;
  }
  return {group, kPort};
}

bool IsLocalName(std::string_view name) {
  if (name.size() > kMaxName || !Lower(name).ends_with(".local")) {
    return false;
  }
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) {
        return false;
      }
      label = 0;
    } else if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') {
      return false;
    } else if (++label > kMaxLabel) {
      return false;
    }
  }
  return true;
}

std::vector<std::uint8_t> MakeQuery(std::string_view name, std::uint16_t id) {
  std::vector<std::uint8_t> message;
  AppendU16(message, id);
  AppendU16(message, 0);  // A standard query
  AppendU16(message, 2);  // Questions
  AppendU16(message, 0);
  AppendU16(message, 0);
  AppendU16(message, 0);
  for (const std::uint16_t type : {kTypeA, kTypeAaaa}) {
    if (type == kTypeAaaa) {
      AppendU16(message, 0xC000U | kHeaderSize);  // The name of the first question.
    } else {
      std::string_view rest = name;
      while (!rest.empty()) {
        const std::string_view label = rest.substr(0, rest.find('.'));
        message.push_back(static_cast<std::uint8_t>(label.size()));
        message.insert(message.end(), label.begin(), label.end());
        rest.remove_prefix(std::min(label.size() + 1, rest.size()));
      }
      message.push_back(0);
    }
    AppendU16(message, type);
    AppendU16(message, kClassIn);
  }
  return message;
}

std::optional<IpAddress> ParseAnswer(Bytes message, std::string_view name, std::uint16_t id) {
  Reader reader(message);
  const std::uint16_t its_id = reader.U16();
  const std::uint16_t flags = reader.U16();
  const std::uint32_t questions = reader.U16();
  const std::uint32_t answers = reader.U16();
  reader.Take(4);  // How many more records there are; what was asked for is among the answers.
  if (!reader.ok() || (its_id != id && its_id != 0) || (flags & kResponse) == 0 ||
      (flags & kOpcodeAndRcode) != 0 || questions + answers > kMaxRecords) {
    return std::nullopt;
  }
  for (std::uint32_t i = 0; i < questions && reader.ok(); ++i) {
    reader.Name();
    reader.Take(4);  // Type and class
  }
  return FindAddress(reader, answers, Lower(name));
}

}  // namespace floe::ice::mdns
