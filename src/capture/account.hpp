// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// The counters of the hot path. Plain data; who may write what is said in lane.hpp.
namespace malloc_tracer::capture {

using WindowId = std::uint32_t;
using ScopeId = std::uint32_t;

inline constexpr WindowId kNoWindow = 0;  // no scope is active
inline constexpr WindowId kStale = 1;  // a thread's window must be looked up again; never interned
inline constexpr WindowId kFirstWindow = 2;
inline constexpr WindowId kNoRun = ~0u;  // matches no window

// What one lane counted for one account {path, allocator, window}: one cache line. Live is derived.
struct alignas(64) Account {
  std::uint64_t allocated_count;
  std::uint64_t allocated_bytes;
  std::uint64_t freed_count;
  std::uint64_t freed_bytes;
  std::uint64_t saved_bytes;  // live at the peak, where the window has one scope and its peak is
                              // older than the last change
  std::uint64_t stamp;        // tick of the last save: a scope with a later peak has not seen this
                              // account change since
  std::uint64_t temporary_count;
  std::uint32_t saved_count;
  WindowId
      window;  // 0: this lane has not touched the account (or it is retired): take the long way

  std::uint64_t live_bytes() const noexcept { return allocated_bytes - freed_bytes; }
  std::uint32_t live_count() const noexcept {
    return static_cast<std::uint32_t>(allocated_count - freed_count);
  }
};
static_assert(sizeof(Account) == 64);

// Live value at the peak of one scope of a window with several.
struct Saved {
  std::uint64_t bytes;
  std::uint32_t count;
  std::uint32_t reallocated;  // reallocations that count for this scope only
};

// How many blocks one lane allocated in one window, by the bit width of their size.
struct SizeCounts {
  static constexpr int kWidths = 64;  // no block has 2^63 bytes
  std::uint64_t of_width[kWidths];

  static int width(std::uint64_t bytes) noexcept { return 63 ^ __builtin_clzll(bytes << 1 | 1); }
};

// The rarely read rest of an Account.
struct AccountDetail {
  Saved* saved;  // one for each column of the window, made at the first save; nullptr: all zero
  std::uint64_t reallocated;  // for every scope of the window
};

}  // namespace malloc_tracer::capture
