// SPDX-License-Identifier: MIT
#include "report/utf8.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

unsigned byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

}  // namespace

// One character of UTF-8 by the table of the Unicode standard (3.9, table 3-7): only the second
// byte's range depends on the first byte, which rules out overlong forms and surrogates.
Decoded decode_utf8(std::string_view text) {
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

void append_utf8(std::string& text, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
    return;
  }
  if (point < 0x800) {
    byte(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      byte(0xe0 | point >> 12);
    } else {
      byte(0xf0 | point >> 18);
      byte(0x80 | (point >> 12 & 0x3f));
    }
    byte(0x80 | (point >> 6 & 0x3f));
  }
  byte(0x80 | (point & 0x3f));
}

}  // namespace malloc_tracer::report
