// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace malloc_tracer::snapshot {

// The ten numbers that every place of a trace has; plain data, always additive. Negative only in
// the difference of two traces. Sizes are the bytes the program asked for. Invariants, for every
// place and for their sums: live = allocated - freed, live <= peak <= allocated (bytes and counts).
// `peak_*` of a place is its share at the moment the scope's live bytes were highest.
struct Counters {
  std::int64_t live_bytes = 0;
  std::int64_t live_count = 0;
  std::int64_t peak_bytes = 0;
  std::int64_t peak_count = 0;
  std::int64_t allocated_bytes = 0;
  std::int64_t allocated_count = 0;
  std::int64_t freed_bytes = 0;
  std::int64_t freed_count = 0;
  std::int64_t temporary_count = 0;
  std::int64_t reallocated_count = 0;

  Counters& operator+=(const Counters& other) { return add(other, 1); }
  Counters& operator-=(const Counters& other) { return add(other, -1); }
  friend bool operator==(const Counters&, const Counters&) = default;

 private:
  Counters& add(const Counters& other, std::int64_t sign) {
    live_bytes += sign * other.live_bytes;
    live_count += sign * other.live_count;
    peak_bytes += sign * other.peak_bytes;
    peak_count += sign * other.peak_count;
    allocated_bytes += sign * other.allocated_bytes;
    allocated_count += sign * other.allocated_count;
    freed_bytes += sign * other.freed_bytes;
    freed_count += sign * other.freed_count;
    temporary_count += sign * other.temporary_count;
    reallocated_count += sign * other.reallocated_count;
    return *this;
  }
};

}  // namespace malloc_tracer::snapshot
