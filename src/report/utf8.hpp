// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// UTF-8 that may be invalid: source text and file names are whatever the program has.
namespace malloc_tracer::report {

inline constexpr std::uint32_t kReplacement = 0xfffd;

struct Decoded {
  std::uint32_t point;
  std::size_t size;  // bytes read; for invalid text those of the maximal invalid part
  bool valid;
};

inline unsigned byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

// One character of UTF-8 by the table of the Unicode standard (3.9, table 3-7): only the second
// byte's range depends on the first byte, which rules out overlong forms and surrogates.
inline Decoded decode(std::string_view text) {
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

}  // namespace malloc_tracer::report
