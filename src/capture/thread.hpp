// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/account.hpp"
#include "capture/lane.hpp"
#include "capture/stack_cache.hpp"
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
  std::uint32_t until_sample = 1;  // events until the next point of the timelines
  // Runs an interpreter with a GIL of its own, or with none: unless it is alone, lane[1] is
  // lane[0].
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
};

}  // namespace malloc_tracer::capture
