// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "trace/trace.hpp"

// The order of every list of a trace: total live bytes, then total allocated bytes, largest first,
// then the place itself, so that equal traces have equal lists.
namespace malloc_tracer::trace {

inline auto place_key(const Line& line) { return std::tie(line.file, line.number); }
inline auto place_key(const Function& function) { return std::tie(function.name, function.file); }
inline auto place_key(const File& file) { return std::tie(file.name); }
inline auto place_key(const Thread& thread) { return std::tie(thread.id, thread.name); }
inline auto place_key(const AllocatorUse& use) { return std::tie(use.name); }
inline auto place_key(const Node& node) {
  return std::tie(node.frame.file, node.frame.line, node.frame.function);
}

template <class Place>
bool comes_before(const Place& a, const Place& b) {
  if (a.total.live_bytes != b.total.live_bytes) return a.total.live_bytes > b.total.live_bytes;
  if (a.total.allocated_bytes != b.total.allocated_bytes) {
    return a.total.allocated_bytes > b.total.allocated_bytes;
  }
  return place_key(a) < place_key(b);
}

// Sorts indices, then swaps each place into its position: places are large, and a trace may have
// 100,000 of them.
template <class Place>
void sort_places(std::vector<Place>& places) {
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return comes_before(places[a], places[b]); });
  for (std::size_t i = 0; i < order.size(); ++i) {
    // The cycle of places that goes through position i.
    std::size_t at = i;
    while (order[at] != i) {
      const std::size_t next = std::exchange(order[at], at);
      std::swap(places[at], places[next]);
      at = next;
    }
    order[at] = at;
  }
}

}  // namespace malloc_tracer::trace
