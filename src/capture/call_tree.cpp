// SPDX-License-Identifier: MIT
#include "capture/call_tree.hpp"

namespace malloc_tracer::capture {

bool CallTree::start() noexcept {
  constexpr std::uint32_t kLeast = 1u << 12;
  return nodes_.reserve(kMaxPaths, kLeast, 64) &&
         last_accounts_.reserve(nodes_.capacity() << kPlaceShift, kLeast) &&
         codes_.reserve(kMaxCodes, kLeast) && path_index_.start() && code_index_.start() &&
         sets_.start(kLeast);
}

MT_COLD PathId CallTree::child(PathId parent, PathKey key) noexcept {
  memory::SpinGuard guard(lock_);
  std::uint64_t packed = key.packed();
  std::uint64_t h = hash(parent, packed);
  PathId id = path_index_.find(
      h, [&](PathId i) { return nodes_[i].key == packed && nodes_[i].parent == parent; });
  if (id != 0 || path_top_ >= nodes_.capacity()) return id;
  id = path_top_;
  nodes_[id] = PathNode{packed, parent};
  memory::danger(memory::Danger::kHalfMade);
  if (!path_index_.insert(h, id, [&](PathId i) { return hash(nodes_[i].parent, nodes_[i].key); }))
    return 0;
  path_top_++;
  return id;
}

bool CallTree::code_died(const void* code) noexcept {
  memory::SpinGuard guard(lock_);
  std::uint64_t h = hash_code(code);
  std::uint32_t id = code_index_.find(h, [&](std::uint32_t i) { return codes_[i].code == code; });
  if (id == 0) return false;
  code_index_.erase(h, id, [&](std::uint32_t i) { return hash_code(codes_[i].code); });
  codes_[id].code = nullptr;
  return true;
}

void CallTree::clear() noexcept {
  for (std::uint32_t i = 1; i < code_top_; i++) {
    for (const CopiedText* text : {&codes_[i].function, &codes_[i].file, &codes_[i].line_table}) {
      texts_.deallocate(const_cast<void*>(text->data), std::size_t{text->length} * text->width);
    }
  }
  path_index_.clear();
  code_index_.clear();
  sets_.clear();
  last_accounts_.clear(path_top_ << kPlaceShift);
  path_top_ = 1;
  code_top_ = 1;
}

}  // namespace malloc_tracer::capture
