// SPDX-License-Identifier: MIT
#include "capture/windows.hpp"

#include <algorithm>
#include <numeric>

namespace malloc_tracer::capture {

namespace {

enum class Operation : std::uint32_t { kNone, kWith, kWithout, kUnion };

struct Transition {
  Operation operation;
  WindowId a;
  std::uint32_t b;
  WindowId result;
};
constinit Transition transitions[256] = {};

Transition& transition(Operation operation, WindowId a, std::uint32_t b) noexcept {
  std::uint32_t mixed = (a * 31u + b * 3u + static_cast<std::uint32_t>(operation)) * 0x9E3779B1u;
  return transitions[mixed >> 24];
}

// A sum of well mixed numbers: one more or less is one step.
std::uint64_t hash_scope(ScopeId scope) noexcept {
  std::uint64_t h = memory::hash_pair(scope, 1) * 0xBF58476D1CE4E5B9ULL;
  return (h ^ (h >> 31)) * 0x94D049BB133111EBULL;
}

std::uint64_t hash_ids(const ScopeId* ids, std::uint32_t count) noexcept {
  std::uint64_t h = 0;
  for (std::uint32_t i = 0; i < count; i++) h += hash_scope(ids[i]);
  return h;
}

std::uint64_t hash_window(WindowId window) noexcept { return engine.windows[window].hash; }

// Another window of the same set; kNoWindow if there is none.
WindowId same_set(WindowId window) noexcept {
  const Window& w = engine.windows[window];
  return engine.window_index.find(w.hash, [&](WindowId i) {
    const Window& other = engine.windows[i];
    return other.count == w.count && std::equal(w.ids, w.ids + w.count, other.ids);
  });
}

WindowId new_window(std::uint32_t count) noexcept {
  WindowId window = engine.free_window_count > 0 ? engine.free_windows[--engine.free_window_count]
                                                 : engine.window_top;
  if (window >= std::min(engine.windows.capacity(), engine.window_room)) return kNoWindow;
  Window& w = engine.windows[window];
  if (w.capacity < count) {
    auto* ids = static_cast<ScopeId*>(engine.pool.allocate(2 * count * sizeof(ScopeId)));
    if (ids == nullptr) return kNoWindow;
    engine.pool.deallocate(w.ids, 2 * w.capacity * sizeof(ScopeId));
    w.ids = ids;
    w.columns = ids + count;
    w.capacity = count;
  }
  std::iota(w.columns, w.columns + count, 0u);
  w.count = w.width = count;
  w.first_account = w.account_count = 0;
  w.ended = 0;
  if (window == engine.window_top) engine.window_top++;
  return window;
}

// The window of `count` ids that `fill` writes in order; kNoWindow for the empty set, or if memory
// is short.
template <class Fill>
WindowId intern_ids(std::uint32_t count, Fill fill) noexcept {
  if (count == 0) return kNoWindow;
  WindowId fresh = new_window(count);
  if (fresh == kNoWindow) {
    engine.lose(Lost::kWindowsFull);
    return kNoWindow;
  }
  Window& w = engine.windows[fresh];
  fill(w.ids);
  w.hash = hash_ids(w.ids, count);
  if (WindowId there = same_set(fresh); there != kNoWindow) {
    w.count = 0;  // a free window holds nobody
    engine.free_windows[engine.free_window_count++] = fresh;
    return there;
  }
  if (!engine.window_index.insert(w.hash, fresh, hash_window)) {
    engine.lose(Lost::kWindowsFull);
    return kNoWindow;
  }
  for (std::uint32_t i = 0; i < count; i++) w.ended += engine.scopes[w.ids[i]].ended;
  return fresh;
}

template <class Make>
WindowId cached(Operation operation, WindowId a, std::uint32_t b, Make make) noexcept {
  Transition& t = transition(operation, a, b);
  if (t.operation != operation || t.a != a || t.b != b) t = Transition{operation, a, b, make()};
  return t.result;
}

}  // namespace

bool window_has(WindowId window, ScopeId scope) noexcept {
  const Window& w = engine.windows[window];
  return std::binary_search(w.ids, w.ids + w.count, scope);
}

std::uint32_t window_rank(WindowId window, ScopeId scope) noexcept {
  const Window& w = engine.windows[window];
  return static_cast<std::uint32_t>(std::lower_bound(w.ids, w.ids + w.count, scope) - w.ids);
}

WindowId window_with(WindowId window, ScopeId scope) noexcept {
  if (window_has(window, scope)) return window;
  return cached(Operation::kWith, window, scope, [&] {
    const Window w = engine.windows[window];
    std::uint32_t rank = window_rank(window, scope);
    return intern_ids(w.count + 1, [&](ScopeId* ids) {
      std::copy(w.ids, w.ids + rank, ids);
      ids[rank] = scope;
      std::copy(w.ids + rank, w.ids + w.count, ids + rank + 1);
    });
  });
}

WindowId window_without(WindowId window, ScopeId scope) noexcept {
  if (!window_has(window, scope)) return window;
  return cached(Operation::kWithout, window, scope, [&] {
    const Window w = engine.windows[window];
    return intern_ids(w.count - 1,
                      [&](ScopeId* ids) { std::remove_copy(w.ids, w.ids + w.count, ids, scope); });
  });
}

WindowId window_union(WindowId a, WindowId b) noexcept {
  if (a == kNoWindow || b == kNoWindow || a == b) return std::max(a, b);
  return cached(Operation::kUnion, a, b, [&] {
    const Window x = engine.windows[a], y = engine.windows[b];
    auto both = [&](auto out) {
      return std::set_union(x.ids, x.ids + x.count, y.ids, y.ids + y.count, out);
    };
    struct Counter {  // output iterator that only counts
      std::uint32_t* count;
      Counter& operator*() { return *this; }
      Counter& operator++() { return ++*count, *this; }
      Counter operator++(int) { return ++*count, *this; }
      Counter& operator=(ScopeId) { return *this; }
    };
    std::uint32_t count = 0;
    both(Counter{&count});
    return intern_ids(count, [&](ScopeId* ids) { both(ids); });
  });
}

WindowId window_shrink(WindowId window, ScopeId scope) noexcept {
  engine.window_index.erase(hash_window(window), window, hash_window);
  Window& w = engine.windows[window];
  std::uint32_t rank = window_rank(window, scope);
  std::copy(w.ids + rank + 1, w.ids + w.count, w.ids + rank);
  std::copy(w.columns + rank + 1, w.columns + w.count, w.columns + rank);
  w.count--;
  w.hash -= hash_scope(scope);
  return same_set(window);
}

void window_publish(WindowId window) noexcept {
  // Where it was taken out there is room.
  engine.window_index.insert(hash_window(window), window, hash_window);
}

void window_forget(WindowId window) noexcept {
  engine.window_index.erase(hash_window(window), window, hash_window);
  engine.windows[window].count = 0;
  engine.free_windows[engine.free_window_count++] = window;
}

void window_cache_clear() noexcept {
  std::fill(std::begin(transitions), std::end(transitions), Transition{});
}

}  // namespace malloc_tracer::capture
