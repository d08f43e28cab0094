// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace malloc_tracer::trace {

using Position = std::size_t;
using Alignment = std::vector<std::pair<Position, Position>>;  // ascending in both

// Where two sequences are the same, as a reader of a comparison expects: equal ends, then what is
// there once in both (a patience diff), and what is left between those by a longest common
// subsequence.
//
// The cost is bounded: of a stretch in which nothing is there once, and that is longer than 2,000
// on both sides, no more is found than its equal ends.
Alignment align(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b);

}  // namespace malloc_tracer::trace
