// SPDX-License-Identifier: MIT
#pragma once

#include "capture/events.hpp"
#include "capture/native/mappings.hpp"

// What a mapping hook tells the engine, as capture/events.hpp for blocks. Mappings are rare and
// large, so there is no short way, and their records are in `mappings`, not in the page map: the
// first block of a program's own arena stands at the same address. Hook safe.
namespace malloc_tracer::capture::native {

inline Cell mark_of(std::uint32_t account, std::uint64_t generation) noexcept {
  return generation | std::uint64_t{account} << memory::PageMap::kAccountShift;
}

// The account for a new mapping, 0 if it is not recorded. Requires: busy.
template <class Frames>
std::uint32_t mapping_account(Thread& thread, bool attached, std::uint64_t bytes) noexcept {
  if (thread.window == kNoWindow) return 0;
  return account_here<Frames>(thread, attached, 0, bytes, Allocator::kMmap);
}

// Writes the record of a mapping that has been charged.
inline void record_mapping(Thread& thread, Range range, std::uint32_t account,
                           std::uint64_t generation) noexcept {
  thread.last_address = range.begin;
  thread.last_cell = mark_of(account, generation);
  thread.inside++;
  if (!mappings.insert(range, account, generation)) engine.lose(Lost::kPageMapFull);
  thread.inside--;
}

template <class Frames>
void on_map(Thread& thread, Range range) noexcept {
  thread.last_address = 0;
  if (thread.window == kNoWindow) return;
  Busy busy(thread);
  if (!busy) return engine.lose(Lost::kReentered);
  catch_up<Frames>(thread);
  bool attached = Frames::attached(thread);
  std::uint32_t account = mapping_account<Frames>(thread, attached, range.end - range.begin);
  if (account == 0) return;
  record_mapping(thread, range, account, engine.generation);
  Lane& lane = *thread.lane[attached];
  charge(lane, account, range.end - range.begin);
  finish(lane);
}

// `cut` has been committed.
template <class Frames>
void on_unmap(Thread& thread, const Cut& cut) noexcept {
  std::uint64_t last = thread.last_address;
  thread.last_address = 0;
  if (cut.count == 0) return;
  Busy busy(thread);
  if (!busy) return engine.lose(Lost::kReentered);
  catch_up<Frames>(thread);
  Lane& lane = lane_here<Frames>(thread);
  for (int i = 0; i < cut.count; i++) {
    const Piece& piece = cut.pieces[i];
    if (piece.generation != engine.generation) continue;
    if (piece.last) {
      bool temporary = cut.whole && last == piece.block_start &&
                       thread.last_cell == mark_of(piece.account, piece.generation);
      uncharge(lane, release_account(piece.account, cut.bytes(i)), temporary);
    } else {
      uncharge(lane, release_part(piece.account, cut.bytes(i)), false);
    }
  }
  finish(lane);
}

// The mapping that `cut` holds as a whole, committed, is now the one at `range`.
template <class Frames>
void on_remap(Thread& thread, const Cut& cut, Range range) noexcept {
  thread.last_address = 0;
  Busy busy(thread);
  if (!busy) return engine.lose(Lost::kReentered);
  catch_up<Frames>(thread);
  const Piece& piece = cut.pieces[0];
  bool attached = Frames::attached(thread);
  Lane& lane = lane_here<Frames>(thread);
  std::uint32_t account = mapping_account<Frames>(thread, attached, range.end - range.begin);
  Held before{0, 0};
  if (piece.generation == engine.generation) before = release_account(piece.account, cut.bytes(0));
  if (account == 0) {
    uncharge(lane, before, false);
  } else {
    record_mapping(thread, range, account, engine.generation);
    recharge(lane, before, account, range.end - range.begin);
  }
  finish(lane);
}

}  // namespace malloc_tracer::capture::native
