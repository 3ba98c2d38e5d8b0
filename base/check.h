// FLOE_CHECK: an invariant of ours. What comes from outside is never checked with it.

#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the process when `condition` is false: that is a bug of ours, and going on would hide it.
#define FLOE_CHECK(condition)                                                                \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
