// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

// Points of the hook zone at which a race, a fork or a signal handler would do the most harm if the
// steps around them had another order. In builds with MALLOC_TRACER_DANGERS (presets asan, ubsan
// and tsan) a test may put a delay, a fork or a signal there (tests/cpp/capture/dangers_test.cpp);
// in all others nothing is compiled. Any thread.
namespace malloc_tracer::memory {

enum class Danger {
  kAllocated,  // the real allocation is done, the thread not yet in
  kIn,         // the thread is in, and has looked at nothing yet
  kDecided,    // an event takes the short way; nothing has been written
  kCounted,    // its counters are written, the block's record is not
  kRecorded,   // the other way round, on the long way
  kTaken,      // a record has been taken out of the page map; its free is not counted
  kFreeing,    // the same, and the real free comes next
  kUnmapped,   // a mapping's record has been cut out and its addresses are free; not yet committed
  kOutToStop,  // a thread has stepped out in the middle of an event, to stop the world
  kWaiting,    // a thread in the middle of an event has stepped out: the world is stopped
  kEntering,   // a lane is about to show its window, having seen that the world runs
  kLocked,     // a lock has been taken
  kUnlocking,  // and is about to be given back
  kHalfMade,   // a path or an account is made and not yet to be found
  kStopping,   // the world has been told to stop
  kResumed,    // the world has been told to go on, its lock is still held
  kRegistering,  // a thread's block is not yet its own
  kNewLeaf,      // a leaf of the page map is about to be published
};

#ifdef MALLOC_TRACER_DANGERS
inline constinit std::atomic<void (*)(Danger)> in_danger{nullptr};
inline void danger(Danger point) noexcept {
  if (auto* visit = in_danger.load(std::memory_order_acquire)) visit(point);
}
#else
inline void danger(Danger) noexcept {}
#endif

}  // namespace malloc_tracer::memory
