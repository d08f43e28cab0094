// SPDX-License-Identifier: MIT
#pragma once

#include "capture/events.hpp"
#include "capture/sampling.hpp"

// The rare ways of an event: another window, a new account, an address handed out again, a giant,
// the world stopped, a time sample. Hook safe.
namespace malloc_tracer::capture {

// Brings everything the thread has cached up to date. False: no scope records this thread now.
template <class Frames>
bool catch_up(Thread& thread) noexcept {
  if (MT_UNLIKELY(engine.interrupted.load(std::memory_order_relaxed)) && Frames::attached(thread)) {
    Away away(thread);  // what the interrupt frees counts
    engine.interrupt();
  }
  // The last step for which the thread is away: from here on whoever stops the world waits for it.
  while (MT_UNLIKELY(engine.stopping.load(std::memory_order_acquire))) wait_for_world(thread);
  if (thread.window == kStale) {
    refresh_window(thread);
    Frames::refresh(thread);
  }
  return thread.window != kNoWindow;
}

// The lane for what this thread does here and now.
template <class Frames>
Lane& lane_here(Thread& thread) noexcept {
  Frames::meet(thread);
  return *thread.lane[Frames::attached(thread)];
}

// The account for an allocation of this thread here and now (`path`: if it is known, else 0); 0 if
// it cannot or must not be recorded.
template <class Frames>
std::uint32_t account_here(Thread& thread, bool attached, PathId path, std::uint64_t bytes,
                           Allocator allocator) noexcept {
  PlaceId place = place_of(path != 0 ? path : Frames::path(thread, attached), allocator);
  std::uint32_t account = engine.tree.last_account(place);
  if (MT_LIKELY(engine.infos[account].window == thread.window) &&
      MT_LIKELY(!thread.stack.constructing))
    return account;
  thread.stack.constructing = false;
  return Frames::ours(thread, attached, bytes, allocator)
             ? 0
             : account_of(thread, place, thread.window);
}

// Writes the record of a new block. An address handed out again means that its free was not seen:
// it is freed first, by nobody.
inline bool write_cell(Thread& thread, Lane& lane, std::uint64_t address, std::uint32_t account,
                       std::uint64_t bytes) noexcept {
  Cell* cell = page_map.make(address);
  if (cell == nullptr) {
    engine.lose(Lost::kPageMapFull);
    return false;
  }
  if (*cell >= engine.generation) {
    Cell unseen = *cell;
    check_record(address, unseen);
    *cell = 0;
    uncharge(lane, release_cell(unseen, address), false);
  }
  Cell value = make_cell(account, address, bytes);
  *cell = value;
  note_record(address, value);
  memory::danger(memory::Danger::kRecorded);
  thread.last_address = address;
  thread.last_cell = value;
  return value != 0;
}

template <class Frames>
void record_alloc(Thread& thread, std::uint64_t address, std::uint64_t bytes,
                  Allocator allocator) noexcept {
  if (!catch_up<Frames>(thread)) return;
  bool attached = Frames::attached(thread);
  std::uint32_t account = account_here<Frames>(thread, attached, 0, bytes, allocator);
  Lane& lane = *thread.lane[attached];
  if (MT_UNLIKELY(thread.until_sample == 0)) {
    sample(thread, lane);
  } else {
    thread.sample_at++;  // not counted down
  }
  if (account != 0 && write_cell(thread, lane, address, account, bytes))
    charge(lane, account, bytes);
  finish(lane);
}

template <class Frames>
MT_NOINLINE void* alloc_long_way(Thread& thread, void* p, std::uint64_t bytes,
                                 Allocator allocator) noexcept {
  thread.last_address = 0;
  if (thread.window != kNoWindow) record_alloc<Frames>(thread, address_of(p), bytes, allocator);
  step_out(thread);
  thread.inside = 0;
  return p;
}

template <class Frames>
MT_NOINLINE void on_free(Thread& thread, const void* p, Cell cell) noexcept {
  std::uint64_t address = address_of(p), last = thread.last_address;
  thread.last_address = 0;
  if (cell == 0) return;
  Busy busy(thread);
  if (MT_UNLIKELY(!busy)) return engine.lose(Lost::kReentered);
  bool temporary = last == address && thread.last_cell == cell;
  catch_up<Frames>(thread);
  if (cell < engine.generation) return;  // the session ended while we waited
  Lane& lane = lane_here<Frames>(thread);
  uncharge(lane, release_cell(cell, address), temporary);
  finish(lane);
}

template <class Frames>
void on_realloc(Thread& thread, const void* old, Cell cell, void* p, std::uint64_t bytes,
                Allocator allocator) noexcept {
  if (cell == 0) {
    if (MT_UNLIKELY(is_in(thread))) return pass_through(thread);
    thread.inside = 1;
    on_alloc<Frames>(thread, p, bytes, allocator);
    return;
  }
  Busy busy(thread);
  if (MT_UNLIKELY(!busy)) return engine.lose(Lost::kReentered);
  thread.last_address = 0;
  bool active = catch_up<Frames>(thread);
  if (cell < engine.generation) cell = 0;
  bool attached = Frames::attached(thread);
  PathId path = active ? Frames::known_path(thread, attached) : 0;
  std::uint32_t account =
      active ? account_here<Frames>(thread, attached, path, bytes, allocator) : 0;
  Lane& lane = lane_here<Frames>(thread);
  Held before = cell != 0 ? release_cell(cell, address_of(old)) : Held{0, 0};
  if (account == 0 || !write_cell(thread, lane, address_of(p), account, bytes)) {
    uncharge(lane, before, false);
  } else {
    recharge(lane, before, account, bytes);
  }
  finish(lane);
}

}  // namespace malloc_tracer::capture
