// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"

// Threads, sessions and stopping the world. Hook safe where said.
//
// Signal safety: a handler may allocate and free wherever it comes. While its thread stops the
// world it is in, so its events are lost, and counted. Before that, waiting for the lock, and
// after, they count, but hand nothing on (`stops_world`). While a thread is being registered, and
// when it has gone, it is `no_thread`, which is always in.
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
// few microseconds when there are other threads, nothing otherwise. The calling thread is in
// meanwhile. Requires: it is not in before, or another thread that stops the world would wait for
// it, which waits for the lock.
class WorldStop {
 public:
  WorldStop() noexcept;
  ~WorldStop();
  WorldStop(const WorldStop&) = delete;
  WorldStop& operator=(const WorldStop&) = delete;

 private:
  Thread& thread_;
  bool was_nobody_;
};

// What the thread allocates while this lives, the world stopped, is the tracer's: no event, nor
// lost.
class OwnAllocations {
 public:
  explicit OwnAllocations(Thread& thread) noexcept : thread_(thread) { set(true); }
  ~OwnAllocations() { set(false); }
  OwnAllocations(const OwnAllocations&) = delete;
  OwnAllocations& operator=(const OwnAllocations&) = delete;

 private:
  void set(bool ours) noexcept {
    if (&thread_ != &no_thread) thread_.is_ours = ours;  // that one is everybody's
  }
  Thread& thread_;
};

// A thread in the middle of an event, as if it were between two: neither in nor inside.
class Away {
 public:
  explicit Away(Thread& thread) noexcept;
  ~Away();
  Away(const Away&) = delete;
  Away& operator=(const Away&) = delete;

 private:
  Thread& thread_;
  std::uint32_t inside_;
};

// Waits, away, until the world runs again (hook safe).
void wait_for_world(Thread& thread) noexcept;

// Applies what every lane has not yet handed on to the scopes. Requires: the world stopped.
void settle_all_lanes() noexcept;

// A session: from the first scope to open to the last to close. Requires: the world stopped.
void begin_session() noexcept;
void end_session() noexcept;

}  // namespace malloc_tracer::capture
