// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "memory/reserved_array.hpp"
#include "memory/spin_lock.hpp"

// The anonymous mappings made in scopes, by byte range. A mapping is one block until its last byte
// is unmapped, however it is cut:
//
//   segments (sorted by address)   [s0 ....][s1 ..]      [s2 .....][s3 .]
//                                     |        |             |       |
//   blocks                            A        B             A       C        {account, bytes
//   mapped}
//
// A call that unmaps has three steps: `cut` takes segments out, the system call runs without a
// lock, `commit` or `put_back` ends it. So a racing thread that gets the same addresses never meets
// an old segment. Thread safe; hook safe if the caller's thread has `inside` set, so that a signal
// handler's mapping does not wait for a lock that its own thread holds.
namespace malloc_tracer::capture::native {

struct Range {
  std::uint64_t begin, end;
};

// Bytes of one block that were cut out.
struct Piece {
  Range range;
  std::uint32_t block;
  std::uint32_t account;
  std::uint64_t generation;
  std::uint64_t block_start;
  bool last;  // after commit: nothing of the block is mapped any more
};

struct Cut {
  static constexpr int kMaxPieces = 32;
  Piece pieces[kMaxPieces];
  int count = 0;
  bool more = false;   // the range held more segments: commit, and cut again
  bool whole = false;  // exactly one block, all of it

  std::uint64_t bytes(int i) const noexcept { return pieces[i].range.end - pieces[i].range.begin; }
};

class Mappings {
 public:
  // False if memory is short.
  bool start() noexcept;
  // Requires: nothing in the range is recorded. False if the table is full.
  bool insert(Range range, std::uint32_t account, std::uint64_t generation) noexcept;
  void cut(Range range, Cut& cut) noexcept;
  void commit(Cut& cut) noexcept;
  void put_back(const Cut& cut) noexcept;
  // Before fork, so that the child inherits whole tables; after it in both.
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }
  void reset_lock() noexcept { lock_.reset(); }  // in a forked child

 private:
  struct Segment {
    Range range;
    std::uint32_t block;
  };
  struct Block {
    std::uint64_t generation;
    std::uint64_t start;
    std::uint64_t mapped_bytes;
    std::uint64_t cut_bytes;  // in calls under way
    std::uint32_t account;
    std::uint32_t next_free;
  };
  static constexpr std::uint32_t kMaxSegments = 1u << 18, kLeast = 1u << 10;

  std::uint32_t first_ending_after(std::uint64_t address) const noexcept;
  bool insert_segment(std::uint32_t at, Segment segment) noexcept;
  void erase_segments(std::uint32_t from, std::uint32_t to) noexcept;
  bool take_piece(std::uint32_t at, Range range, Cut& cut) noexcept;
  std::uint32_t new_block() noexcept;
  void forget_old_session() noexcept;

  memory::SpinLock lock_;
  memory::ReservedArray<Segment> segments_;
  memory::ReservedArray<Block> blocks_;  // [0] is no block
  std::uint32_t segment_count_ = 0;
  std::uint32_t block_top_ = 1;
  std::uint32_t free_block_ = 0;
  std::uint64_t generation_ = 0;
};

extern constinit Mappings mappings;

}  // namespace malloc_tracer::capture::native
