// floe: the command line.

#include <iostream>

#include "app/floe/command_line.h"
#include "app/floe/commands.h"

int main(int argc, char** argv) {
  using floe::control::ExitCode;
  const auto line = floe::cli::ParseCommandLine(argc, argv);
  ExitCode code = ExitCode::kDone;
  if (line) {
    code = floe::cli::Run(*line, {std::cin, std::cout, std::cerr});
  } else {
    std::cout << line.error().out;
    std::cerr << line.error().err;
    code = line.error().code;
  }
  // A key that did not reach the disk must not look as if it had.
  if (!std::cout.flush()) {
    std::cerr << "floe: cannot write to standard output\n";
    code = ExitCode::kNo;
  }
  return static_cast<int>(code);
}
