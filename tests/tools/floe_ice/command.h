// One line of what floe-ice is told on standard input.
//
// Source: DESIGN.md, "floe-ice".

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace floe::tools {

struct RemoteUfrag {
  std::string ufrag;
};

struct RemotePassword {
  std::string password;
};

struct RemoteCandidate {
  std::string line;  // The candidate-attribute, not looked at yet.
};

struct RemoteEndOfCandidates {};

struct SendData {
  std::vector<std::uint8_t> payload;
};

struct Restart {};

struct CloseSession {};

using Command = std::variant<RemoteUfrag, RemotePassword, RemoteCandidate, RemoteEndOfCandidates,
                             SendData, Restart, CloseSession>;

enum class CommandError : std::uint8_t {
  kUnknown,   // A word that means nothing here.
  kNoValue,   // A word that needs a value has none.
  kUnwanted,  // A word that takes no value has one.
  kNotHex,    // send takes bytes as pairs of hexadecimal digits.
};

[[nodiscard]] std::string_view ToString(CommandError error);

/// Reads a line without its end. Spaces around it, and a carriage return, do not matter.
[[nodiscard]] Result<Command, CommandError> ParseCommand(std::string_view line);

/// Lower-case hexadecimal digits.
[[nodiscard]] std::string ToHex(Bytes bytes);

}  // namespace floe::tools
