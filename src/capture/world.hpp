// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"

// Threads, sessions and stopping the world. Hook safe where said.
namespace malloc_tracer::capture {

// Reserves the tables and registers the fork handlers. Once; true if the engine can record. Not
// from a hook.
bool start_engine() noexcept;

// The calling thread's block. Never null: before a thread's first event, and where memory is short,
// a block that records nothing.
extern constinit thread_local Thread* self_block __attribute__((tls_model("initial-exec")));
extern constinit Thread no_thread;
inline Thread* self() noexcept { return self_block; }
// The same, registered first if need be (hook safe).
MT_COLD Thread& register_self() noexcept;
MT_INLINE Thread& here() noexcept {
  Thread* thread = self();
  return MT_LIKELY(thread != &no_thread) ? *thread : register_self();
}

// Holds the world lock and keeps every other thread out of the accounting while it lives. Takes a
// few microseconds when there are other threads, nothing otherwise. Requires: the calling thread is
// not busy.
class WorldStop {
 public:
  WorldStop() noexcept;
  ~WorldStop();
  WorldStop(const WorldStop&) = delete;
  WorldStop& operator=(const WorldStop&) = delete;
};

// Waits, not busy, until the world runs again (hook safe).
void wait_for_world(Thread& thread) noexcept;

// Applies what every lane has not yet handed on to the scopes. Requires: the world stopped.
void settle_all_lanes() noexcept;

// A session: from the first scope to open to the last to close. Requires: the world stopped.
void begin_session() noexcept;
void end_session() noexcept;

}  // namespace malloc_tracer::capture
