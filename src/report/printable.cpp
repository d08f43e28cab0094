// SPDX-License-Identifier: MIT
#include "report/printable.hpp"

#include <cstddef>
#include <cstdint>

namespace malloc_tracer::report {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;
constexpr std::size_t kTabWidth = 8;

struct Decoded {
  std::uint32_t point;
  std::size_t size;  // bytes read; for invalid text those of the maximal invalid part
  bool valid;
};

unsigned byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

// One character of UTF-8 by the table of the Unicode standard (3.9, table 3-7): only the second
// byte's range depends on the first byte, which rules out overlong forms and surrogates.
Decoded decode(std::string_view text) {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {kReplacement, 1, false};
  const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::uint32_t point = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned next = byte_at(text, i);
    if (next < low || next > high) return {kReplacement, i, false};
    point = point << 6 | (next & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {point, size, true};
}

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
    const Decoded next = decode(text);
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
