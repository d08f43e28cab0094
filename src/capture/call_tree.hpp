// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "capture/scope_sets.hpp"
#include "memory/block_pool.hpp"
#include "memory/compiler.hpp"
#include "memory/id_index.hpp"
#include "memory/reserved_array.hpp"
#include "memory/spin_lock.hpp"
#include "snapshot/snapshot.hpp"

// The interned call paths: path = {parent, key}, one tree for each thread's bottom, independent of
// scopes. A *marker* key stands just before (or after) the own frame of a scope, or of several, so
// a scope's trace can drop what lies outside. A frame's key is {code id, offset}: code objects are
// copied when first seen and get a new id when one dies and its address comes back, so a key never
// changes its meaning and paths outlive scopes.
//
// Thread safety: interning takes the lock, which is the last of the engine's (engine.hpp);
// published nodes never change. Hook safe, if the calling thread is in: a signal handler must not
// come back.
namespace malloc_tracer::capture {

using PathId = std::uint32_t;
using PlaceId = std::uint32_t;  // path << 3 | allocator

inline constexpr int kPlaceShift = 3;
constexpr PlaceId place_of(PathId path, snapshot::Allocator allocator) noexcept {
  return path << kPlaceShift | static_cast<PlaceId>(allocator);
}
constexpr PathId path_of(PlaceId place) noexcept { return place >> kPlaceShift; }
constexpr snapshot::Allocator allocator_of(PlaceId place) noexcept {
  return static_cast<snapshot::Allocator>(place & ((1u << kPlaceShift) - 1));
}

enum class KeyKind : std::uint32_t { kFrame = 0, kMarker = 1, kThread = 2, kMarkerOfSet = 3 };

struct PathKey {
  KeyKind kind;
  std::uint32_t id;      // code, scope, thread serial or set of scopes
  std::uint32_t offset;  // of the instruction, in bytes

  std::uint64_t packed() const noexcept {
    return std::uint64_t{static_cast<std::uint32_t>(kind)} << 62 | std::uint64_t{id} << 32 | offset;
  }
};

struct PathNode {
  std::uint64_t key;
  PathId parent;

  KeyKind kind() const noexcept { return static_cast<KeyKind>(key >> 62); }
  std::uint32_t id() const noexcept { return static_cast<std::uint32_t>(key >> 32) & 0x3fffffff; }
  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(key); }
};

// Text as the interpreter keeps it: `width` bytes per code point.
struct CopiedText {
  const void* data;
  std::uint32_t length;
  std::uint32_t width;
};

struct CodeEntry {
  const void* code;  // the living code object, nullptr after its death
  CopiedText function, file, line_table;
  int first_line;
};

class CallTree {
 public:
  static constexpr std::uint32_t kMaxPaths = 1u << 22, kMaxCodes = 1u << 20;

  bool start() noexcept;
  // The child of `parent` with `key`; 0 if the table is full. The overload that copies a code
  // object is in cpython/.
  PathId child(PathId parent, PathKey key) noexcept;
  // The child of `parent` that marks the next frame as the own one of `count` scopes, which `fill`
  // writes; 0 if a table is full.
  template <class Fill>
  PathId marked(PathId parent, std::uint32_t count, Fill fill) noexcept;
  // The id of a living code object, made by `describe(entry, pool)` if it is new; 0 if the table is
  // full.
  template <class Describe>
  std::uint32_t code_id(const void* code, Describe describe) noexcept;
  // The code object is about to die. True if it was known: then node caches must be dropped (see
  // code_epoch).
  bool code_died(const void* code) noexcept;

  const PathNode& node(PathId path) const noexcept { return nodes_[path]; }
  const CodeEntry& code(std::uint32_t id) const noexcept { return codes_[id]; }
  bool marks(const PathNode& node, ScopeId scope) const noexcept {
    if (node.kind() == KeyKind::kMarker) return node.id() == scope;
    return node.kind() == KeyKind::kMarkerOfSet && sets_.has(node.id(), scope);
  }
  // The account the place used last, of whatever window; 0: none.
  std::uint32_t& last_account(PlaceId place) const noexcept { return last_accounts_[place]; }
  std::uint32_t path_count() const noexcept { return path_top_; }
  // More than half full of paths that may all be dead: worth starting over when no scope is open.
  bool worn() const noexcept {
    return path_top_ > nodes_.capacity() / 2 || code_top_ > codes_.capacity() / 2 || sets_.worn();
  }
  // Forgets everything. Requires: no scope open, the world stopped, every thread's stack cache
  // dropped.
  void clear() noexcept;
  memory::SpinLock& lock() noexcept { return lock_; }

 private:
  static std::uint64_t hash(PathId parent, std::uint64_t key) noexcept {
    return memory::hash_pair(key, parent);
  }
  static std::uint64_t hash_code(const void* code) noexcept {
    return memory::hash_pair(reinterpret_cast<std::uint64_t>(code) >> 4, 1);
  }

  memory::SpinLock lock_{memory::LockRank::kTree};
  memory::ReservedArray<PathNode> nodes_;
  memory::ReservedArray<std::uint32_t> last_accounts_;
  memory::ReservedArray<CodeEntry> codes_;
  memory::IdIndex path_index_, code_index_;
  memory::BlockPool texts_;
  ScopeSets sets_;
  std::uint32_t path_top_ = 1, code_top_ = 1;
};

template <class Fill>
PathId CallTree::marked(PathId parent, std::uint32_t count, Fill fill) noexcept {
  if (count == 1) {
    ScopeId scope;
    fill(&scope);
    return child(parent, PathKey{KeyKind::kMarker, scope, 0});
  }
  lock_.lock();
  std::uint32_t set = sets_.id_of(count, fill);
  lock_.unlock();
  return set != 0 ? child(parent, PathKey{KeyKind::kMarkerOfSet, set, 0}) : 0;
}

template <class Describe>
std::uint32_t CallTree::code_id(const void* code, Describe describe) noexcept {
  memory::SpinGuard guard(lock_);
  std::uint64_t h = hash_code(code);
  std::uint32_t id = code_index_.find(h, [&](std::uint32_t i) { return codes_[i].code == code; });
  if (id != 0 || code_top_ >= codes_.capacity()) return id;
  id = code_top_;
  codes_[id] = CodeEntry{code, {}, {}, {}, 0};
  describe(codes_[id], texts_);
  if (!code_index_.insert(h, id, [&](std::uint32_t i) { return hash_code(codes_[i].code); }))
    return 0;
  code_top_++;
  return id;
}

}  // namespace malloc_tracer::capture
