// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Huffman codes as RFC 1951, 3.2.2 has them: canonical, so that the lengths alone say the code.
namespace malloc_tracer::report {

// How often each symbol stands in a text: what its code is made of.
using Counts = std::vector<std::uint32_t>;

struct PrefixCode {
  // By symbol: how many bits (0: never used), and which, the first in the lowest place.
  std::vector<std::uint8_t> lengths;
  std::vector<std::uint16_t> bits;

  // At most `longest` bits, at least two symbols (not all readers take a code of one).
  PrefixCode(Counts counts, int longest);

  // The symbols up to the last one used, but no fewer than `least`.
  std::span<const std::uint8_t> used_lengths(std::size_t least) const;
};

}  // namespace malloc_tracer::report
