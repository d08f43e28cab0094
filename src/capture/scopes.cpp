// SPDX-License-Identifier: MIT
#include "capture/scopes.hpp"

#include <algorithm>

#include "capture/accounting.hpp"
#include "capture/sampling.hpp"
#include "capture/windows.hpp"
#include "capture/world.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture {

namespace {

void mark_stale(Thread& thread) noexcept {
  if (thread.in_use) thread.window = kStale;
}

void mark_all_stale() noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next)
    mark_stale(*thread);
}

Activation* find_activation(Thread& thread, ScopeId scope) noexcept {
  Activation* begin = thread.activations.data();
  Activation* end = begin + thread.activation_count;
  Activation* found =
      std::find_if(begin, end, [&](const Activation& a) { return a.scope == scope; });
  return found != end ? found : nullptr;
}

void remove_activation(Thread& thread, Activation* activation) noexcept {
  Activation* end = thread.activations.data() + thread.activation_count;
  std::copy(activation + 1, end, activation);
  thread.activation_count--;
}

bool any_ended() noexcept {
  for (ScopeId id = 1; id < engine.scope_top; id++) {
    if (engine.scopes[id].open && engine.scopes[id].ended) return true;
  }
  return false;
}

// Requires: the world stopped.
void set_ended(ScopeId id, bool ended) noexcept {
  Scope& scope = engine.scopes[id];
  if (scope.ended == ended) return;
  scope.ended = ended;
  scope.journal_from = engine.journal_count;
  if (!ended && !any_ended()) engine.journal_count = 0;
  settle_all_lanes();  // runs must look at their windows again
  for (WindowId window = kFirstWindow; window < engine.window_top; window++) {
    if (window_has(window, id)) engine.windows[window].ended += ended ? 1 : ~0u;
  }
}

// The first activation anywhere, or the last to go.
void switch_activity(ScopeId id, bool active) noexcept {
  Scope& scope = engine.scopes[id];
  std::int64_t now = platform::monotonic_ns();
  if (!active) scope.paused_ns = now;
  if (active && scope.began_ns == 0) scope.began_ns = now;
  if (!scope.all) return;
  engine.all = active ? window_with(engine.all, id) : window_without(engine.all, id);
  mark_all_stale();
}

}  // namespace

ScopeRef open_scope(bool all_threads) noexcept {
  if (!start_engine()) return {};
  here();
  WorldStop stop;
  settle_all_lanes();
  bool reuse = engine.free_scope_count > 0;
  if (!reuse && engine.scope_top == engine.scopes.capacity()) return {};
  ScopeId id = reuse ? engine.free_scopes[--engine.free_scope_count] : engine.scope_top++;
  Scope& scope = engine.scopes[id];
  snapshot::TimelinePoint* timeline = scope.timeline;  // kept: scopes come and go
  scope = Scope{};
  scope.timeline = timeline;
  scope.open = true;
  scope.all = all_threads;
  scope.serial = ++engine.scope_serial;
  scope.peak_epoch = ++engine.tick;
  for (std::uint32_t i = 0; i < kLostReasons; i++)
    scope.lost_before[i] = engine.lost[i].load(std::memory_order_relaxed);
  if (engine.open_scopes++ == 0) begin_session();
  return ScopeRef{id, scope.serial};
}

bool is_open(ScopeRef scope) noexcept {
  return scope.id != 0 && engine.scopes[scope.id].open &&
         engine.scopes[scope.id].serial == scope.serial;
}

void activate(ScopeRef ref, Thread& thread, ScopeFrame where) noexcept {
  WorldStop stop;
  if (!is_open(ref)) return;
  Scope& scope = engine.scopes[ref.id];
  set_ended(ref.id, false);
  if (Activation* there = find_activation(thread, ref.id)) {
    there->count++;
  } else if (thread.activation_count < thread.activations.capacity()) {
    thread.activations[thread.activation_count++] =
        Activation{ref.id, 1, where.frame, where.code, where.inclusive};
    if (!scope.all) thread.own = window_with(thread.own, ref.id);
    mark_stale(thread);
  } else {
    return;
  }
  if (scope.activations++ == 0) switch_activity(ref.id, true);
}

void suspend(ScopeRef ref, Thread& thread, bool finished) noexcept {
  WorldStop stop;
  if (!is_open(ref)) return;
  Scope& scope = engine.scopes[ref.id];
  Activation* there = find_activation(thread, ref.id);
  if (there == nullptr) return;
  if (--there->count == 0) {
    remove_activation(thread, there);
    if (!scope.all) thread.own = window_without(thread.own, ref.id);
    mark_stale(thread);
  }
  if (--scope.activations == 0) {
    switch_activity(ref.id, false);
    if (finished) set_ended(ref.id, true);
  }
}

namespace {

void retire(std::uint32_t id, WindowId kind, std::uint32_t forward) noexcept {
  AccountInfo& info = engine.infos[id];
  std::uint64_t blocks = 0;
  engine.each_lane([&](Lane& lane) {
    Account& account = lane.accounts[id];
    blocks += account.allocated_count - account.freed_count;
    AccountDetail& detail = lane.details[id];
    engine.pool.deallocate(detail.saved, engine.windows[info.window].count * sizeof(Saved));
    detail = AccountDetail{};
    account = Account{};
  });
  info.window = kind;
  info.forward = forward;
  info.blocks = blocks;
  if (blocks == 0) engine.free_accounts[engine.free_account_count++] = id;
}

// Takes the scope at `rank` out of the saved values of one lane's account.
void drop_saved(Lane& lane, std::uint32_t id, WindowId from, std::uint32_t rank) noexcept {
  AccountDetail& detail = lane.details[id];
  std::uint32_t before = engine.windows[from].count;
  if (detail.saved == nullptr) return;
  std::copy(detail.saved + rank + 1, detail.saved + before, detail.saved + rank);
  if (before == 2) {
    lane.accounts[id].saved_bytes = detail.saved[0].bytes;
    lane.accounts[id].saved_count = detail.saved[0].count;
    detail.reallocated += detail.saved[0].reallocated;
  }
  // The array belongs to the size class of the window it was made for: give it one of its new size.
  Saved* kept = nullptr;
  if (before > 2) {
    kept = static_cast<Saved*>(engine.pool.allocate((before - 1) * sizeof(Saved)));
    if (kept != nullptr) std::copy(detail.saved, detail.saved + before - 1, kept);
  }
  engine.pool.deallocate(detail.saved, before * sizeof(Saved));
  detail.saved = kept;
}

// Adds one lane's counters of account `id` (window `from`) to those of `into` (window `to`, which
// lacks the scope at `rank`).
void merge_lane(Lane& lane, std::uint32_t id, WindowId from, std::uint32_t rank, std::uint32_t into,
                WindowId to) noexcept {
  Account& a = lane.accounts[id];
  Account& b = lane.accounts[into];
  std::uint32_t rest = engine.windows[to].count;
  AccountDetail& detail = lane.details[into];
  for (std::uint32_t i = 0; i < rest; i++) {
    Saved x = saved_value(lane, id, from, i + (i >= rank)), y = saved_value(lane, into, to, i);
    Saved sum{x.bytes + y.bytes, x.count + y.count, x.reallocated + y.reallocated};
    if (rest == 1) {
      b.saved_bytes = sum.bytes;
      b.saved_count = sum.count;
      detail.reallocated += x.reallocated;
    } else if (Saved* saved = saved_array(lane, into)) {
      saved[i] = sum;
    }
  }
  b.window = to;
  b.allocated_count += a.allocated_count;
  b.allocated_bytes += a.allocated_bytes;
  b.freed_count += a.freed_count;
  b.freed_bytes += a.freed_bytes;
  b.temporary_count += a.temporary_count;
  b.stamp = engine.tick;
  detail.reallocated += lane.details[id].reallocated;
}

std::uint64_t account_hash(std::uint32_t id) noexcept {
  return memory::hash_pair(engine.infos[id].place, engine.infos[id].window);
}

// One account of window `from` now belongs to window `to`.
void move_account(std::uint32_t id, WindowId from, std::uint32_t rank, WindowId to) noexcept {
  AccountInfo& info = engine.infos[id];
  engine.account_index.erase(account_hash(id), id, account_hash);
  PlaceSlot& slot = engine.tree.slot(info.place);
  if (slot.window == from) slot = PlaceSlot{0, 0};
  if (to == kNoWindow) return retire(id, AccountInfo::kDead, 0);
  std::uint64_t h = memory::hash_pair(info.place, to);
  std::uint32_t into = engine.account_index.find(h, [&](std::uint32_t i) {
    return engine.infos[i].place == info.place && engine.infos[i].window == to;
  });
  if (into != 0) {
    engine.each_lane([&](Lane& lane) { merge_lane(lane, id, from, rank, into, to); });
    return retire(id, AccountInfo::kForwarded, into);
  }
  engine.each_lane([&](Lane& lane) {
    drop_saved(lane, id, from, rank);
    if (lane.accounts[id].window != kNoWindow) lane.accounts[id].window = to;
  });
  info.window = to;
  info.next = engine.windows[to].first_account;
  engine.windows[to].first_account = id;
  engine.account_index.insert(h, id, account_hash);
}

void move_sizes(WindowId from, WindowId to) noexcept {
  engine.each_lane([&](Lane& lane) {
    for (int width = 0; width < SizeCounts::kWidths; width++) {
      std::uint64_t& count = lane.size_pages[from].of_width[width];
      if (count == 0) continue;  // a lane that was not here keeps its memory untouched
      if (to != kNoWindow) lane.size_pages[to].of_width[width] += count;
      count = 0;
    }
  });
}

// The scope has ended: every account of the window belongs to the window without it.
void fold(WindowId window, ScopeId scope) noexcept {
  std::uint32_t rank = window_rank(window, scope);
  WindowId to =
      engine.windows[window].first_account != 0 ? window_without(window, scope) : kNoWindow;
  for (std::uint32_t id = engine.windows[window].first_account; id != 0;) {
    std::uint32_t next = engine.infos[id].next;
    move_account(id, window, rank, to);
    id = next;
  }
  move_sizes(window, to);
  window_forget(window);
}

void forget_in_threads(ScopeId id) noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (!thread->in_use) continue;
    if (Activation* there = find_activation(*thread, id)) remove_activation(*thread, there);
    thread->own = window_without(thread->own, id);
    thread->window = kStale;
  }
}

// Freed by another thread meanwhile: the account's id may be reused from here on. Not told by the
// cell, which is empty too while the thread itself is between taking the record and telling of the
// free. (A giant has no id there, but a serial of its own.)
void forget_last_of_free_accounts() noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    std::uint32_t id = memory::PageMap::account(thread->last_cell);
    if (!thread->in_use || thread->last_address == 0 || id == 0) continue;
    const AccountInfo& info = engine.infos[id];
    if (info.window < kFirstWindow && info.blocks == 0) thread->last_address = 0;
  }
}

// Ids that a Thread::last_cell might have named are free now.
void free_waiting_accounts() noexcept {
  for (std::uint32_t i = 0; i < engine.waiting_account_count; i++) {
    engine.free_accounts[engine.free_account_count++] = engine.waiting_accounts[i];
  }
  engine.waiting_account_count = 0;
}

}  // namespace

void close_scope(ScopeRef ref) noexcept {
  WorldStop stop;
  if (!is_open(ref)) return;
  settle_all_lanes();
  set_ended(ref.id, false);
  forget_in_threads(ref.id);
  free_waiting_accounts();
  engine.all = window_without(engine.all, ref.id);
  for (WindowId window = kFirstWindow; window < engine.window_top; window++) {
    if (window_has(window, ref.id)) fold(window, ref.id);
  }
  forget_last_of_free_accounts();
  window_cache_clear();
  engine.scopes[ref.id].open = false;
  engine.free_scopes[engine.free_scope_count++] = ref.id;
  if (!any_ended()) engine.journal_count = 0;
  if (--engine.open_scopes == 0) end_session();
}

ScopeRef reset_scope(ScopeRef ref) noexcept {
  if (!is_open(ref)) return ref;
  ScopeRef fresh = open_scope(engine.scopes[ref.id].all);
  {
    WorldStop stop;
    for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
      if (!thread->in_use) continue;
      Activation* there = find_activation(*thread, ref.id);
      if (there == nullptr) continue;
      there->scope = fresh.id;
      if (!engine.scopes[fresh.id].all) thread->own = window_with(thread->own, fresh.id);
    }
    engine.scopes[fresh.id].activations = engine.scopes[ref.id].activations;
    if (engine.scopes[fresh.id].activations != 0) switch_activity(fresh.id, true);
    mark_all_stale();
  }
  close_scope(ref);
  return fresh;
}

void refresh_window(Thread& thread) noexcept {
  memory::SpinGuard guard(engine.intern);
  StackCache& stack = thread.stack;
  thread.window = thread.paused != 0 ? kNoWindow : window_union(engine.all, thread.own);
  // The walk may stop at the outermost scope's frame only if every scope that records here has its
  // own frame on this thread.
  stack.stop = thread.activation_count != 0 ? thread.activations[0].frame : nullptr;
  const Window& window = engine.windows[thread.window];
  for (std::uint32_t i = 0; i < window.count && stack.stop != nullptr; i++) {
    const Activation* there = find_activation(thread, window.ids[i]);
    if (there == nullptr || there->frame == nullptr) stack.stop = nullptr;
  }
}

}  // namespace malloc_tracer::capture
