// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace malloc_tracer::report {

struct Decoded {
  std::uint32_t point;
  std::size_t size;  // bytes read; for invalid text those of the maximal invalid part
  bool valid;
};

// The first character of `text`, which is not empty; U+FFFD where it is not valid.
Decoded decode_utf8(std::string_view text);

void append_utf8(std::string& text, std::uint32_t point);

}  // namespace malloc_tracer::report
