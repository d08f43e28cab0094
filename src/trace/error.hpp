// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>

namespace malloc_tracer {

// What callers can put right: unreadable input, wrong use. The text says what happened and what to
// do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace malloc_tracer
