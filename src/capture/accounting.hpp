// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"
#include "memory/compiler.hpp"

// What an event does to accounts and to the running maximum, when it does not take the short way in
// events.hpp. Hook safe. Requires for all: the calling thread is in and `lane` is its lane.
//
// Exact peak: a new maximum of the run takes the next tick (all_epoch). An account whose stamp is
// older than that has not changed since; before its next change its live value is saved, so "share
// at the peak" is the saved value, or the live one if nothing was saved since. The reference
// model in tests/cpp/capture checks it; lane.hpp for the other lanes.
namespace malloc_tracer::capture {

// The account is about to change, for the first time since the peak of its window's only scope: its
// live value now is its share.
MT_INLINE void save_share(Account& account) noexcept {
  account.saved_bytes = account.live_bytes();
  account.saved_count = account.live_count();
  account.stamp = engine.tick;
}

// The part of a block's cell that says who made it: pymalloc, or not.
constexpr memory::PageMap::Cell apart(snapshot::Allocator allocator) noexcept {
  using snapshot::Allocator;
  bool pooled = allocator == Allocator::kPythonObject || allocator == Allocator::kPythonMem;
  return pooled ? 0 : memory::PageMap::kApart;
}

// The account of {place, window}, made if need be; if the table is full the one of the thread's
// root, 0 if not even that. Takes `intern`.
std::uint32_t account_of(const Thread& thread, PlaceId place, WindowId window) noexcept;

// A block of `bytes` begins in `account`.
void charge(Lane& lane, std::uint32_t account, std::uint64_t bytes) noexcept;

// A block, or a part of one, about to go away.
struct Held {
  std::uint32_t account;  // 0: no open scope wants it
  std::uint64_t bytes;
  std::uint32_t blocks = 1;  // 0: the rest of the block lives on
};
// What the cell of a block at `address` stands for; one block less behind retired accounts.
Held release_cell(memory::PageMap::Cell cell, std::uint64_t address) noexcept;
Held release_account(std::uint32_t account, std::uint64_t bytes) noexcept;
Held release_part(std::uint32_t account, std::uint64_t bytes) noexcept;
void uncharge(Lane& lane, Held held, bool temporary) noexcept;
// The cell for a block of `account` at `address`.
memory::PageMap::Cell make_cell(std::uint32_t account, std::uint64_t address,
                                std::uint64_t bytes) noexcept;
// One step: `before` (account 0: none) ends and a block of `bytes` begins in `account`.
void recharge(Lane& lane, Held before, std::uint32_t account, std::uint64_t bytes) noexcept;

// Live value at the peak of the rank-th scope of the account's window. Requires: the world stopped,
// lanes settled.
Saved saved_value(const Lane& lane, std::uint32_t account, WindowId window,
                  std::uint32_t rank) noexcept;
Saved* saved_array(Lane& lane, std::uint32_t account) noexcept;

// Brings a lane's sums to the scopes, at the end of an event if need be. The world stops and goes
// on meanwhile, so account and window ids of the caller are void afterwards.
void finish(Lane& lane) noexcept;

// Ends the run: its scopes know their headroom and peak again. Main lane only.
void settle(Lane& main) noexcept;
// Brings the lane's sums to the scopes. Requires: the world stopped, the main lane settled. Returns
// true if a scope has a new maximum.
bool settle_lane(Lane& lane) noexcept;

}  // namespace malloc_tracer::capture
