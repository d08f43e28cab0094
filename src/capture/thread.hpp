// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/account.hpp"
#include "capture/lane.hpp"
#include "capture/stack_cache.hpp"
#include "memory/compiler.hpp"
#include "memory/danger.hpp"
#include "memory/relaxed.hpp"

// What the engine knows of one thread, in a mapped block behind one thread-local pointer. Written
// by its own thread; others may only read `busy` and, with the world stopped, store kStale in
// `window` and 0 in `last_address`.
namespace malloc_tracer::capture {

// A scope's activation on a thread: where its own frame is.
struct Activation {
  ScopeId scope;
  std::uint32_t count;  // recursion; the oldest gives the frame
  const void* frame;    // nullptr: none
  const void*
      code;  // the frame's code when it was activated: a reused frame address is not the same frame
  bool inclusive;  // the frame itself belongs to the scope
};

struct alignas(64) Thread {
  // `closed`: as if always inside a hook and in the accounting.
  constexpr explicit Thread(bool closed = false) noexcept : busy(closed), inside(closed) {}

  static constexpr std::uint32_t kMaxActivations = 1u << 16;

  std::atomic<std::uint32_t> busy;  // in the accounting: the world waits for this to become 0
  std::uint32_t
      inside;  // in the real function below one of our hooks: hooks further in pass through
  memory::Relaxed<WindowId> window = kNoWindow;
  std::uint32_t paused = 0;
  memory::Relaxed<std::uint64_t> last_address =
      0;  // block made by this thread's latest event, if that was an allocation
  std::uint64_t last_cell = 0;
  std::uint32_t until_sample = 1;  // allocations until the next point of the timelines
  std::uint64_t sample_at = 1;     // allocations before that point
  bool stops_world = false;        // holds the world lock, or waits for it: may not do so again
  bool is_ours = false;            // what it allocates is the tracer's: no event, nor lost
  // Runs an interpreter with a GIL of its own, or with none: unless it is alone, lane[1] is
  // lane[0]. As of the state that the stack cache belongs to.
  bool foreign = false;
  // The stack cache's thread state, unless `foreign`: whoever runs it holds the main GIL. None:
  // this.
  const void* main_state = this;
  Lane* lane[2] = {nullptr, nullptr};  // [0] without, [1] with the interpreter's lock
  std::uint32_t root = 0;              // path of this thread's bottom
  WindowId own = kNoWindow;            // the threads="current" scopes active here
  StackCache stack;

  std::uint64_t code_epoch = 0;  // the stack cache knows of code deaths up to here
  std::uint32_t serial = 0;      // index of this thread's id and name
  std::uint32_t activation_count = 0;
  bool in_use = false;
  Thread* next = nullptr;  // all blocks ever made; they are reused, never unmapped
  memory::ReservedArray<Activation> activations;

  // So far, about.
  std::uint64_t allocations() const noexcept { return sample_at - until_sample; }
};

// In and out of the accounting; the world waits for a thread that is in. A signal handler that
// comes in the middle finds the thread in, and may touch nothing: callers ask `is_in` first. So
// does one that comes while its thread stops the world. Elsewhere its events count like all others:
// whoever steps out to wait, in the middle of an event, goes on as if the event began there.
MT_INLINE bool is_in(const Thread& thread) noexcept {
  return thread.busy.load(std::memory_order_relaxed) != 0;
}
MT_INLINE void step_in(Thread& thread) noexcept {
  thread.busy.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  memory::danger(memory::Danger::kIn);
}
MT_INLINE void step_out(Thread& thread) noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread.busy.store(0, std::memory_order_release);
}

}  // namespace malloc_tracer::capture
