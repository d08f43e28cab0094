// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"
#include "memory/compiler.hpp"

// What an event does to accounts and to the running maximum. The common case is inline; every rare case leaves by a call in
// tail position, so that the common one saves no register. Hook safe. Requires for all: the calling thread is busy and `lane` is its lane.
//
// Exact peak: a new maximum of the run takes the next tick (all_epoch). An account whose stamp is older than that has not changed
// since; before its next change its live value is saved, so "share at the peak" is the saved value, or the live one if nothing
// was saved since. See design.md section 4 for the proof sketch and lane.hpp for the other lanes.
namespace malloc_tracer::capture {

MT_NOINLINE void enter_window(Lane& lane, WindowId window) noexcept;
MT_NOINLINE void add_at_peak(Lane& lane, Account& account, std::uint64_t bytes, std::int64_t room) noexcept;
MT_NOINLINE void add_after_peak(Lane& lane, Account& account, std::uint64_t bytes) noexcept;
MT_NOINLINE void subtract_after_peak(Lane& lane, Account& account, std::uint64_t bytes, bool temporary) noexcept;
// Brings a lane's sums to the scopes. The world stops and goes on meanwhile, so account and window ids of the caller are void afterwards:
// only as the last act of an event.
MT_NOINLINE void hand_on(Lane& lane) noexcept;
// The end of the long way of an event.
inline void finish(Lane& lane) noexcept {
  if (lane.overdue) hand_on(lane);
}

// Requires: the run's window is the account's. Last act of an event: a lane may hand on its sum.
MT_INLINE void add(Lane& lane, Account& account, std::uint64_t bytes) noexcept {
  Run& run = lane.run;
  std::int64_t room = run.room - static_cast<std::int64_t>(bytes);
  if (room < 0) {
    std::int64_t max = run.max - room;
    if (MT_UNLIKELY(max > run.threshold) || MT_UNLIKELY(account.stamp < run.rest_epoch)) {
      return add_at_peak(lane, account, bytes, room);
    }
    run.max = max;
    run.room = 0;
    run.all_epoch = ++engine.tick;
  } else {
    if (MT_UNLIKELY(account.stamp < run.all_epoch)) return add_after_peak(lane, account, bytes);
    run.room = room;
  }
  account.allocated_bytes += bytes;
  account.allocated_count++;
}

// The same. Last act of an event: a lane may hand on what it freed.
MT_INLINE void subtract(Lane& lane, Account& account, std::uint64_t bytes, bool temporary) noexcept {
  Run& run = lane.run;
  if (MT_UNLIKELY(account.stamp < run.all_epoch)) return subtract_after_peak(lane, account, bytes, temporary);
  std::int64_t room = run.room + static_cast<std::int64_t>(bytes);
  run.room = room;
  account.freed_bytes += bytes;
  account.freed_count++;
  account.temporary_count += temporary;
  if (MT_UNLIKELY(room > run.ceiling)) hand_on(lane);
}

// The account of {place, window}, made if need be; if the table is full the one of the thread's root, 0 if not even that. Takes `intern`.
std::uint32_t account_of(const Thread& thread, PlaceId place, WindowId window) noexcept;

// The lane's counters of an account, ready for `add` or `subtract`: the window is the run's. Requires: the account is of an open scope.
Account& ready_account(Lane& lane, std::uint32_t account) noexcept;

// A block of `account` (possibly retired, possibly 0 for a giant at `address`) goes away.
struct Held {
  std::uint32_t account;  // 0: no open scope wants it
  std::uint64_t bytes;
};
Held release_cell(memory::PageMap::Cell cell, std::uint64_t address) noexcept;
void uncharge(Lane& lane, Held held, bool temporary) noexcept;
// The cell for a block of `account` at `address`.
memory::PageMap::Cell make_cell(std::uint32_t account, std::uint64_t address, std::uint64_t bytes) noexcept;
// One step: `before` (account 0: none) ends and a block of `bytes` begins in `account`.
void recharge(Lane& lane, Held before, std::uint32_t account, std::uint64_t bytes) noexcept;

// Live value at the peak of the rank-th scope of the account's window. Requires: the world stopped, lanes settled.
Saved saved_value(const Lane& lane, std::uint32_t account, WindowId window, std::uint32_t rank) noexcept;
Saved* saved_array(Lane& lane, std::uint32_t account) noexcept;

// Ends the run: its scopes know their headroom and peak again. Main lane only.
void settle(Lane& main) noexcept;
// Brings the lane's sums to the scopes. Requires: the world stopped, the main lane settled. Returns true if a scope has a new maximum.
bool settle_lane(Lane& lane) noexcept;

}  // namespace malloc_tracer::capture
