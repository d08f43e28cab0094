// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/accounting.hpp"
#include "capture/engine.hpp"
#include "capture/thread.hpp"
#include "capture/world.hpp"
#include "memory/compiler.hpp"
#include "snapshot/snapshot.hpp"

// THE HOOK ZONE: what a hook tells the engine, from entry to return on one screen. Hooks call the real allocator themselves:
//
//   allocation   p = real(n);          on_alloc<Frames>(thread, p, n, allocator)
//   free         cell = take(p);       on_free<Frames>(thread, p, cell)                 ; real_free(p)
//   reallocation cell = take(old);     p = real(old, n); p != null: on_realloc<Frames>(thread, old, cell, p, n, allocator)
//                                                        failed:    put_back(old, cell)
//
// A record is cleared before the real free and written after the real malloc, so a racing thread can never inherit one. `Frames` says where
// the program is: Frames::attached(thread) -> bool (holds the interpreter's lock), Frames::path(thread, attached) -> PathId,
// Frames::refresh(thread) after scopes or code objects have changed.
//
// What may go wrong in here, and does not reach the program: a table is full, memory is short, a signal handler allocates inside a hook,
// the stack is too deep. Each is counted in Engine::lost and printed by every report. No exception, no allocation but mmap, no Python
// object made or counted, errno preserved by whoever calls the system.
namespace malloc_tracer::capture {

using snapshot::Allocator;
using Cell = memory::PageMap::Cell;

// One thread inside the accounting; the world waits for it. False if a signal handler came in the middle: then nothing may be touched.
class Busy {
 public:
  MT_INLINE explicit Busy(Thread& thread) noexcept : thread_(thread) {
    entered_ = thread.busy.load(std::memory_order_relaxed) == 0;
    if (MT_LIKELY(entered_)) thread.busy.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  MT_INLINE ~Busy() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (MT_LIKELY(entered_)) thread_.busy.store(0, std::memory_order_release);
  }
  MT_INLINE explicit operator bool() const noexcept { return entered_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Thread& thread_;
  bool entered_;
};

inline std::uint64_t address_of(const void* p) noexcept { return reinterpret_cast<std::uint64_t>(p); }
inline PlaceId place_of(PathId path, Allocator allocator) noexcept { return path << kPlaceShift | static_cast<std::uint32_t>(allocator); }

// What allocated the block of a valid cell. A giant's is not looked up: kMalloc.
inline Allocator allocator_of(Cell cell) noexcept {
  std::uint32_t account = memory::PageMap::account(cell);
  if (account == 0) return Allocator::kMalloc;
  return static_cast<Allocator>(engine.infos[account].place & ((1u << kPlaceShift) - 1));
}

// Takes the record of a block about to be freed or moved; 0 if it is not ours.
MT_INLINE Cell take(const void* p) noexcept {
  Cell* cell = page_map.find(address_of(p));
  if (MT_UNLIKELY(cell == nullptr)) return 0;
  Cell value = *cell;
  if (value < engine.generation) return 0;
  *cell = 0;
  return value;
}
inline void put_back(const void* p, Cell cell) noexcept {
  if (cell != 0) *page_map.make(address_of(p)) = cell;
}

template <class Frames>
MT_NOINLINE void alloc_long_way(Thread& thread, std::uint64_t address, std::uint64_t bytes, Allocator allocator) noexcept;
template <class Frames>
MT_NOINLINE void free_long_way(Thread& thread, Lane& lane, std::uint64_t address, Cell cell, bool temporary) noexcept;

template <class Frames>
MT_INLINE void on_alloc(Thread& thread, void* p, std::uint64_t bytes, Allocator allocator) noexcept {
  if (thread.window == kNoWindow) {  // no scope is active here
    thread.last_address = 0;
    return;
  }
  Busy busy(thread);
  if (MT_UNLIKELY(!busy)) return engine.lose(Lost::kReentered);
  std::uint64_t address = address_of(p);
  bool attached = Frames::attached(thread);
  Lane& lane = *thread.lane[attached];
  PlaceSlot slot = engine.tree.slot(place_of(Frames::path(thread, attached), allocator));
  Cell* cell = page_map.find(address);
  WindowId window = lane.run.match;
  if (MT_UNLIKELY(slot.window != window) || MT_UNLIKELY(thread.window != window) || MT_UNLIKELY(bytes >> 32) ||
      MT_UNLIKELY(cell == nullptr) || MT_UNLIKELY(*cell >= engine.generation) || MT_UNLIKELY(--thread.until_sample == 0)) {
    return alloc_long_way<Frames>(thread, address, bytes, allocator);
  }
  Cell value = engine.generation | std::uint64_t{slot.account} << memory::PageMap::kAccountShift | bytes;
  *cell = value;
  thread.last_address = address;
  thread.last_cell = value;
  add(lane, lane.accounts[slot.account], bytes);
}

template <class Frames>
MT_INLINE void on_free(Thread& thread, const void* p, Cell cell) noexcept {
  std::uint64_t address = address_of(p), last = thread.last_address;
  thread.last_address = 0;  // any free is an event, whoever's block it was
  if (cell == 0) return;
  Busy busy(thread);
  if (MT_UNLIKELY(!busy)) return engine.lose(Lost::kReentered);
  bool temporary = last == address && thread.last_cell == cell;  // and the record: another thread's block may stand there now
  Lane& lane = *thread.lane[Frames::attached(thread)];
  Account& account = lane.accounts[memory::PageMap::account(cell)];
  if (MT_UNLIKELY(account.window != lane.run.match)) return free_long_way<Frames>(thread, lane, address, cell, temporary);
  subtract(lane, account, static_cast<std::uint32_t>(cell), temporary);
}

// `cell` is what take(old) gave; the real reallocation has succeeded.
template <class Frames>
void on_realloc(Thread& thread, const void* old, Cell cell, void* p, std::uint64_t bytes, Allocator allocator) noexcept;

}  // namespace malloc_tracer::capture

#include "capture/events_long_way.hpp"
