// SPDX-License-Identifier: MIT
#include "report/printable.hpp"

#include <cstddef>
#include <cstdint>

#include "report/utf8.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::size_t kTabWidth = 8;

bool is_control(std::uint32_t point) { return point < 0x20 || (point >= 0x7f && point < 0xa0); }

// What reorders the text around it ("Trojan source"), or ends a line for some readers.
bool reorders_or_breaks(std::uint32_t point) {
  return point == 0x061c || point == 0x200e || point == 0x200f ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

std::string escape(char letter, int digits, std::uint32_t point) {
  std::string text = {'\\', letter};
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    text += "0123456789abcdef"[point >> shift & 0xf];
  }
  return text;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const Decoded next = decode_utf8(text);
    std::string shown(text.substr(0, next.size));
    std::size_t width = 1;
    if (next.point == '\t') {
      shown.assign(kTabWidth - column % kTabWidth, ' ');
      width = shown.size();
    } else if (is_control(next.point)) {
      shown = escape('x', 2, next.point);
      width = shown.size();
    } else if (!next.valid || reorders_or_breaks(next.point)) {
      shown = escape('u', 4, next.point);
      width = shown.size();
    }
    result += shown;
    column += width;
    text.remove_prefix(next.size);
  }
  return result;
}

}  // namespace malloc_tracer::report
