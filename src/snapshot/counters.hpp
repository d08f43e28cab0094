// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

namespace malloc_tracer::snapshot {

// The ten numbers that every place of a trace has; plain data, always additive.
// Sizes are the bytes the program asked for. Invariants, for every place and for their sums:
// live = allocated - freed, live <= peak <= allocated (bytes and counts). `peak_*` of a place is
// its share at the moment the scope's live bytes were highest.
// `Number` is unsigned while recording, where sums are modulo 2^64, and signed in a trace, which
// may be the difference of two.
template <class Number>
struct CountersOf {
  Number live_bytes = 0;
  Number live_count = 0;
  Number peak_bytes = 0;
  Number peak_count = 0;
  Number allocated_bytes = 0;
  Number allocated_count = 0;
  Number freed_bytes = 0;
  Number freed_count = 0;
  Number temporary_count = 0;
  Number reallocated_count = 0;

  CountersOf& operator+=(const CountersOf& other) {
    live_bytes += other.live_bytes;
    live_count += other.live_count;
    peak_bytes += other.peak_bytes;
    peak_count += other.peak_count;
    allocated_bytes += other.allocated_bytes;
    allocated_count += other.allocated_count;
    freed_bytes += other.freed_bytes;
    freed_count += other.freed_count;
    temporary_count += other.temporary_count;
    reallocated_count += other.reallocated_count;
    return *this;
  }
  operator CountersOf<std::int64_t>()
      const  // NOLINT(google-explicit-constructor): from the recorder to a trace
      requires std::is_unsigned_v<Number> {
    const auto number = [](Number value) { return static_cast<std::int64_t>(value); };
    return {number(live_bytes),       number(live_count),      number(peak_bytes),
            number(peak_count),       number(allocated_bytes), number(allocated_count),
            number(freed_bytes),      number(freed_count),     number(temporary_count),
            number(reallocated_count)};
  }
  friend bool operator==(const CountersOf&, const CountersOf&) = default;
};

using Counters = CountersOf<std::uint64_t>;

}  // namespace malloc_tracer::snapshot
