// SPDX-License-Identifier: MIT
#pragma once

#include "capture/events.hpp"
#include "capture/sampling.hpp"

// The rare ways of an event: another window, a new account, an address handed out again, a giant, the world stopped, a time sample. Hook safe.
namespace malloc_tracer::capture {

// Brings everything the thread has cached up to date. False: no scope records this thread now.
template <class Frames>
bool catch_up(Thread& thread) noexcept {
  while (MT_UNLIKELY(engine.stopping.load(std::memory_order_acquire))) wait_for_world(thread);
  if (MT_UNLIKELY(engine.interrupted.load(std::memory_order_relaxed)) && Frames::attached(thread)) {
    thread.busy.store(0, std::memory_order_release);
    engine.interrupt();
    thread.busy.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  if (thread.window == kStale) {
    refresh_window(thread);
    Frames::refresh(thread);
  }
  return thread.window != kNoWindow;
}

// The account for an allocation of this thread here and now; 0 if it cannot be recorded.
template <class Frames>
std::uint32_t account_here(Thread& thread, bool attached, Allocator allocator) noexcept {
  PathId path = Frames::path(thread, attached);
  PlaceSlot slot = engine.tree.slot(place_of(path, allocator));
  if (slot.window == thread.window) return slot.account;
  return account_of(thread, place_of(path, allocator), thread.window);
}

// Writes the record of a new block. An address handed out again means that its free was not seen: it is freed first, by nobody.
inline bool write_cell(Thread& thread, Lane& lane, std::uint64_t address, std::uint32_t account, std::uint64_t bytes) noexcept {
  Cell* cell = page_map.make(address);
  if (cell == nullptr) {
    engine.lose(Lost::kPageMapFull);
    return false;
  }
  if (*cell >= engine.generation) {
    Cell unseen = *cell;
    *cell = 0;
    uncharge(lane, release_cell(unseen, address), false);
  }
  Cell value = make_cell(account, address, bytes);
  *cell = value;
  thread.last_address = address;
  thread.last_cell = value;
  return value != 0;
}

template <class Frames>
MT_NOINLINE void alloc_long_way(Thread& thread, std::uint64_t address, std::uint64_t bytes, Allocator allocator) noexcept {
  thread.last_address = 0;
  if (!catch_up<Frames>(thread)) return;
  bool attached = Frames::attached(thread);
  if (Frames::ours(thread, attached, bytes, allocator)) return;
  Lane& lane = *thread.lane[attached];
  if (thread.until_sample == 0) sample(thread, lane);
  std::uint32_t account = account_here<Frames>(thread, attached, allocator);
  if (account == 0 || !write_cell(thread, lane, address, account, bytes)) return;
  add(lane, ready_account(lane, account), bytes);
}

template <class Frames>
MT_NOINLINE void free_long_way(Thread& thread, Lane&, std::uint64_t address, Cell cell, bool temporary) noexcept {
  catch_up<Frames>(thread);
  if (cell < engine.generation) return;  // the session ended while we waited
  Lane& lane = *thread.lane[Frames::attached(thread)];
  uncharge(lane, release_cell(cell, address), temporary);
  finish(lane);
}

template <class Frames>
void on_realloc(Thread& thread, const void* old, Cell cell, void* p, std::uint64_t bytes, Allocator allocator) noexcept {
  if (cell == 0) return on_alloc<Frames>(thread, p, bytes, allocator);
  Busy busy(thread);
  if (MT_UNLIKELY(!busy)) return engine.lose(Lost::kReentered);
  thread.last_address = 0;
  bool active = catch_up<Frames>(thread);
  if (cell < engine.generation) cell = 0;
  bool attached = Frames::attached(thread);
  Lane& lane = *thread.lane[attached];
  std::uint32_t account = active ? account_here<Frames>(thread, attached, allocator) : 0;
  Held before = cell != 0 ? release_cell(cell, address_of(old)) : Held{0, 0};
  if (account == 0 || !write_cell(thread, lane, address_of(p), account, bytes)) {
    uncharge(lane, before, false);
  } else {
    recharge(lane, before, account, bytes);
  }
  finish(lane);
}

}  // namespace malloc_tracer::capture
