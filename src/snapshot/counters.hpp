// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace malloc_tracer::snapshot {

// The ten numbers that every place of a trace has; plain data, always additive.
// Sizes are the bytes the program asked for. Invariants, for every place and for their sums:
// live = allocated - freed, live <= peak <= allocated (bytes and counts). `peak_*` of a place is
// its share at the moment the scope's live bytes were highest.
struct Counters {
  std::uint64_t live_bytes = 0;
  std::uint64_t live_count = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t peak_count = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t allocated_count = 0;
  std::uint64_t freed_bytes = 0;
  std::uint64_t freed_count = 0;
  std::uint64_t temporary_count = 0;
  std::uint64_t reallocated_count = 0;

  Counters& operator+=(const Counters& other) {
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
  friend bool operator==(const Counters&, const Counters&) = default;
};

}  // namespace malloc_tracer::snapshot
