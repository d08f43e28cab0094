// SPDX-License-Identifier: MIT
#include "capture/native/mappings.hpp"

#include <algorithm>

#include "capture/engine.hpp"

namespace malloc_tracer::capture::native {

constinit Mappings mappings;

bool Mappings::start() noexcept {
  return segments_.reserve(kMaxSegments, kLeast) && blocks_.reserve(kMaxSegments, kLeast);
}

std::uint32_t Mappings::first_ending_after(std::uint64_t address) const noexcept {
  const Segment* begin = segments_.data();
  const Segment* found =
      std::upper_bound(begin, begin + segment_count_, address,
                       [](std::uint64_t a, const Segment& s) { return a < s.range.end; });
  return static_cast<std::uint32_t>(found - begin);
}

bool Mappings::insert_segment(std::uint32_t at, Segment segment) noexcept {
  if (segment_count_ == segments_.capacity()) return false;
  Segment* place = segments_.data() + at;
  std::copy_backward(place, segments_.data() + segment_count_,
                     segments_.data() + segment_count_ + 1);
  *place = segment;
  segment_count_++;
  return true;
}

void Mappings::erase_segments(std::uint32_t from, std::uint32_t to) noexcept {
  std::copy(segments_.data() + to, segments_.data() + segment_count_, segments_.data() + from);
  segment_count_ -= to - from;
}

std::uint32_t Mappings::new_block() noexcept {
  std::uint32_t id = free_block_;
  if (id != 0) {
    free_block_ = blocks_[id].next_free;
  } else if (block_top_ < blocks_.capacity()) {
    id = block_top_++;
  }
  return id;
}

// Blocks of a session that has ended belong to nobody. Calls under way may still name them, and see
// that by the generation.
void Mappings::forget_old_session() noexcept {
  if (generation_ == engine.generation) return;
  generation_ = engine.generation;
  segment_count_ = 0;
  block_top_ = 1;
  free_block_ = 0;
}

bool Mappings::insert(Range range, std::uint32_t account, std::uint64_t generation) noexcept {
  memory::SpinGuard guard(lock_);
  forget_old_session();
  if (generation != generation_) return true;
  std::uint32_t id = new_block();
  if (id == 0) return false;
  std::uint64_t bytes = range.end - range.begin;
  blocks_[id] = Block{generation, range.begin, bytes, 0, account, 0};
  if (insert_segment(first_ending_after(range.begin), Segment{range, id})) return true;
  blocks_[id].next_free = free_block_;
  free_block_ = id;
  return false;
}

// Takes what the segment shares with the range. True if nothing of the segment is left.
bool Mappings::take_piece(std::uint32_t at, Range range, Cut& cut) noexcept {
  Segment& segment = segments_[at];
  Block& block = blocks_[segment.block];
  Range piece{std::max(segment.range.begin, range.begin), std::min(segment.range.end, range.end)};
  Range before{segment.range.begin, piece.begin}, after{piece.end, segment.range.end};
  bool split = before.begin < before.end && after.begin < after.end;
  if (split && !insert_segment(at + 1, Segment{after, segment.block})) {
    engine.lose(Lost::kPageMapFull);  // what lies behind the gap goes with it
    piece.end = segment.range.end;
  }
  cut.pieces[cut.count++] =
      Piece{piece, segment.block, block.account, block.generation, block.start, false};
  block.mapped_bytes -= piece.end - piece.begin;
  block.cut_bytes += piece.end - piece.begin;
  if (before.begin < before.end) {
    segments_[at].range = before;
    return false;
  }
  segments_[at].range = after;
  return after.begin == after.end;
}

void Mappings::cut(Range range, Cut& cut) noexcept {
  cut.count = 0;
  cut.more = cut.whole = false;
  memory::SpinGuard guard(lock_);
  forget_old_session();
  std::uint32_t at = first_ending_after(range.begin), first_gone = 0, last_gone = 0;
  for (; at < segment_count_ && segments_[at].range.begin < range.end; at++) {
    cut.more = cut.count == Cut::kMaxPieces;
    if (cut.more) break;
    if (!take_piece(at, range, cut)) continue;
    if (first_gone == last_gone) first_gone = at;
    last_gone = at + 1;
  }
  erase_segments(first_gone, last_gone);
  if (cut.count != 1) return;
  const Block& block = blocks_[cut.pieces[0].block];
  cut.whole = block.mapped_bytes == 0 && block.cut_bytes == cut.bytes(0);
}

void Mappings::commit(Cut& cut) noexcept {
  if (cut.count == 0) return;
  memory::SpinGuard guard(lock_);
  for (int i = 0; i < cut.count; i++) {
    Piece& piece = cut.pieces[i];
    if (piece.generation != generation_) continue;
    Block& block = blocks_[piece.block];
    block.cut_bytes -= cut.bytes(i);
    piece.last = block.cut_bytes == 0 && block.mapped_bytes == 0;
    if (!piece.last) continue;
    block.next_free = free_block_;
    free_block_ = piece.block;
  }
}

void Mappings::put_back(const Cut& cut) noexcept {
  if (cut.count == 0) return;
  memory::SpinGuard guard(lock_);
  for (int i = 0; i < cut.count; i++) {
    const Piece& piece = cut.pieces[i];
    if (piece.generation != generation_) continue;
    Block& block = blocks_[piece.block];
    block.cut_bytes -= cut.bytes(i);
    if (insert_segment(first_ending_after(piece.range.begin), Segment{piece.range, piece.block})) {
      block.mapped_bytes += cut.bytes(i);
    } else {
      engine.lose(Lost::kPageMapFull);
    }
  }
}

}  // namespace malloc_tracer::capture::native
