// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/accounting.hpp"
#include "capture/checked.hpp"
#include "capture/engine.hpp"
#include "capture/thread.hpp"
#include "capture/world.hpp"
#include "memory/compiler.hpp"
#include "memory/danger.hpp"
#include "snapshot/snapshot.hpp"

// THE HOOK ZONE: what a hook tells the engine, from entry to return on one screen. Hooks call the
// real allocator themselves:
//
//   allocation    p = real(n);  on_alloc<Frames>(thread, p, n, allocator)
//   free          freed<Frames>(thread, p, cell) or else on_free<Frames>(here(), p, take(p));
//                 real_free(p)
//   reallocation  cell = take(old);  p = real(old, n);
//                 on_realloc<Frames>(thread, old, cell, p, n, allocator), or put_back(old, cell)
//                 if it failed
//
// A record is cleared before the real free and written after the real malloc, so a racing thread
// can never inherit one. `Frames` says where the program is: Frames::attached(thread) -> bool
// (holds the interpreter's lock), Frames::path(thread, attached) -> PathId, known_path the same or
// 0 if that takes a walk, Frames::refresh(thread) after scopes or code objects have changed.
// thread.lane holds for the interpreter of the latest path: Frames::meet(thread) looks which one it
// is now, Frames::find_lane(thread, lane) -> bool finds the lane where that takes no look.
//
// What may go wrong in here, and does not reach the program: a table is full, memory is short, a
// signal handler allocates inside a hook, the stack is too deep. Each is counted in Engine::lost
// and printed by every report. No exception, no allocation but mmap, no Python object made or
// counted, errno preserved by whoever calls the system.
namespace malloc_tracer::capture {

using snapshot::Allocator;
using Cell = memory::PageMap::Cell;

// May a hook record? Not below another hook, and not in a signal handler that came in the middle of
// an event: that is counted as lost.
MT_INLINE bool is_closed(const Thread& thread) noexcept {
  return (thread.inside | thread.busy.load(std::memory_order_relaxed)) != 0;
}
inline void pass_through(const Thread& thread) noexcept {
  if (is_in(thread) && !thread.is_ours) engine.lose(Lost::kReentered);
}

// The same for the rare events; false if a signal handler came in the middle.
class Busy {
 public:
  explicit Busy(Thread& thread) noexcept : thread_(thread), entered_(!is_in(thread)) {
    if (entered_) step_in(thread);
  }
  ~Busy() {
    if (entered_) step_out(thread_);
  }
  explicit operator bool() const noexcept { return entered_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Thread& thread_;
  bool entered_;
};

inline std::uint64_t address_of(const void* p) noexcept {
  return reinterpret_cast<std::uint64_t>(p);
}

// What allocated the block of a valid cell. A giant's is not looked up: kMalloc.
inline Allocator allocator_of_block(Cell cell) noexcept {
  std::uint32_t account = memory::PageMap::account(cell);
  return account != 0 ? allocator_of(engine.infos[account].place) : Allocator::kMalloc;
}

// Takes the record of a block about to be freed or moved; 0 if it is not ours.
MT_INLINE Cell take(const void* p) noexcept {
  Cell* cell = page_map.find(address_of(p));
  if (MT_UNLIKELY(cell == nullptr)) return 0;
  Cell value = *cell;
  check_record(address_of(p), value);
  if (value < engine.generation) return 0;
  *cell = 0;
  note_record(address_of(p), 0);
  memory::danger(memory::Danger::kTaken);
  return value;
}
inline void put_back(const void* p, Cell cell) noexcept {
  if (cell == 0) return;
  *page_map.make(address_of(p)) = cell;
  note_record(address_of(p), cell);
}

// Entered with the thread in; steps out.
template <class Frames>
MT_NOINLINE void* alloc_long_way(Thread& thread, void* p, std::uint64_t bytes,
                                 Allocator allocator) noexcept;

// The record of a block whose path is known. Whatever is out of the ordinary takes the long way:
// nothing is written before that is decided.
template <class Frames>
MT_INLINE void* record_at(Thread& thread, Lane& lane, PathId path, void* p, std::uint64_t bytes,
                          Allocator allocator) noexcept {
  Run& run = lane.run;
  std::uint32_t id = engine.tree.last_account(place_of(path, allocator));
  Account& account = lane.accounts[id];
  Cell* cell = page_map.find_usual(address_of(p));
  std::int64_t room = run.room - static_cast<std::int64_t>(bytes);
  if (MT_UNLIKELY(account.window != run.match) ||
      MT_UNLIKELY(bytes > memory::PageMap::kMostBytes) || MT_UNLIKELY(cell == nullptr) ||
      MT_UNLIKELY(*cell >= engine.generation) || MT_UNLIKELY(--thread.until_sample == 0)) {
    return alloc_long_way<Frames>(thread, p, bytes, allocator);
  }
  memory::danger(memory::Danger::kDecided);
  if (room < 0) {
    std::int64_t max = run.max - room;
    if (MT_UNLIKELY(max > run.threshold) || MT_UNLIKELY(account.stamp < run.rest_epoch)) {
      return alloc_long_way<Frames>(thread, p, bytes, allocator);
    }
    run.max = max;
    run.room = 0;
    run.all_epoch = ++engine.tick;
  } else {
    if (MT_UNLIKELY(account.stamp < run.all_epoch)) {
      if (!run.single) return alloc_long_way<Frames>(thread, p, bytes, allocator);
      save_share(account);
    }
    run.room = room;
  }
  check_writer(lane);
  account.allocated_bytes += bytes;
  account.allocated_count++;
  lane.sizes[SizeCounts::width(bytes)]++;
  memory::danger(memory::Danger::kCounted);
  Cell value = engine.generation | std::uint64_t{id} << memory::PageMap::kAccountShift |
               apart(allocator) | bytes;
  *cell = value;
  note_record(address_of(p), value);
  thread.last_address = address_of(p);
  thread.last_cell = value;
  step_out(thread);
  thread.inside = 0;
  return p;
}

// The stack has changed since the previous event.
template <class Frames>
MT_NOINLINE void* alloc_after_walk(Thread& thread, void* p, std::uint64_t bytes,
                                   Allocator allocator) noexcept {
  bool attached = Frames::attached(thread);
  PathId path = Frames::path(thread, attached);
  if (MT_UNLIKELY(thread.stack.constructing))
    return alloc_long_way<Frames>(thread, p, bytes, allocator);
  return record_at<Frames>(thread, *thread.lane[attached], path, p, bytes, allocator);
}

// With the thread in; `Known` says the known path, where the hook knows more than `Frames`.
template <class Frames, class Known = Frames>
MT_INLINE void* on_alloc_inside(Thread& thread, void* p, std::uint64_t bytes,
                                Allocator allocator) noexcept {
  bool attached = Frames::attached(thread);
  Lane& lane = *thread.lane[attached];
  if (MT_UNLIKELY(thread.window != lane.run.match))
    return alloc_long_way<Frames>(thread, p, bytes, allocator);
  PathId path = Known::known_path(thread, attached);
  if (MT_UNLIKELY(path == 0)) return alloc_after_walk<Frames>(thread, p, bytes, allocator);
  return record_at<Frames>(thread, lane, path, p, bytes, allocator);
}

// Requires: the hook has set thread.inside to 1 before the real call; it is 0 afterwards. Gives `p`
// back, so that a hook can end in it.
template <class Frames>
MT_INLINE void* on_alloc(Thread& thread, void* p, std::uint64_t bytes,
                         Allocator allocator) noexcept {
  memory::danger(memory::Danger::kAllocated);
  step_in(thread);
  return on_alloc_inside<Frames>(thread, p, bytes, allocator);
}

// The free of `p`, if it takes the short way (kDone, `cell` is its record) or is nobody's block.
// kNotYet: nothing has been touched.
enum class Freed { kDone, kNobodys, kNotYet };
template <class Frames>
MT_INLINE Freed freed(Thread& thread, const void* p, Cell& cell) noexcept {
  std::uint64_t address = address_of(p);
  if (MT_UNLIKELY(is_in(thread)) || MT_UNLIKELY(!memory::PageMap::is_usual(address)))
    return Freed::kNotYet;
  Cell* at = page_map.find_usual(address);
  if (MT_UNLIKELY(at == nullptr) || *at < engine.generation) {
    if (p != nullptr) thread.last_address = 0;  // any free is an event, whoever's block it was
    return Freed::kNobodys;
  }
  step_in(thread);
  cell = *at;
  check_record(address, cell);
  std::uint64_t bytes = memory::PageMap::bytes(cell);
  Lane* lane;
  if (MT_UNLIKELY(!Frames::find_lane(thread, lane))) {
    step_out(thread);
    return Freed::kNotYet;
  }
  Run& run = lane->run;
  WindowId match = run.match;
  if (MT_UNLIKELY(match == kNoRun)) {  // whoever stops the world may be writing all the rest
    step_out(thread);
    return Freed::kNotYet;
  }
  Account& account = lane->accounts[memory::PageMap::account(cell)];
  std::int64_t room = run.room + static_cast<std::int64_t>(bytes);
  if (MT_UNLIKELY(account.window != match) || MT_UNLIKELY(room > run.ceiling)) {
    step_out(thread);
    return Freed::kNotYet;
  }
  if (account.stamp < run.all_epoch) {
    if (MT_UNLIKELY(!run.single)) {
      step_out(thread);
      return Freed::kNotYet;
    }
    save_share(account);
  }
  check_writer(*lane);
  memory::danger(memory::Danger::kDecided);
  run.room = room;
  *at = 0;
  note_record(address, 0);
  memory::danger(memory::Danger::kTaken);
  account.freed_bytes += bytes;
  account.freed_count++;
  // The record too: another thread's block may stand at the address now.
  if (thread.last_address == address) account.temporary_count += thread.last_cell == cell;
  thread.last_address = 0;
  step_out(thread);
  return Freed::kDone;
}

// The same for a record that has been taken out.
template <class Frames>
void on_free(Thread& thread, const void* p, Cell cell) noexcept;

// `cell` is what take(old) gave; the real reallocation has succeeded.
template <class Frames>
void on_realloc(Thread& thread, const void* old, Cell cell, void* p, std::uint64_t bytes,
                Allocator allocator) noexcept;

}  // namespace malloc_tracer::capture

#include "capture/events_long_way.hpp"
