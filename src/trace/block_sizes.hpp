// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trace/trace.hpp"

// Histograms of block sizes: how many blocks were allocated, by the bit width of their size (0, 1,
// 2 to 3, 4 to 7, ...). Zeros at the end are left out. A trace with blocks and without a histogram
// comes from an older file: what is made of it has none either.
namespace malloc_tracer::trace {

inline constexpr std::size_t kMaxBlockSizes = 65;

inline bool knows_block_sizes(const Trace& trace) {
  return !trace.block_sizes.empty() || trace.sum.allocated_count == 0;
}

// a + factor * b
inline std::vector<std::int64_t> add_block_sizes(std::span<const std::int64_t> a,
                                                 std::span<const std::int64_t> b,
                                                 std::int64_t factor = 1) {
  std::vector<std::int64_t> sum(a.begin(), a.end());
  sum.resize(std::max(a.size(), b.size()));
  for (std::size_t width = 0; width < b.size(); ++width) sum[width] += factor * b[width];
  while (!sum.empty() && sum.back() == 0) sum.pop_back();
  return sum;
}

}  // namespace malloc_tracer::trace
