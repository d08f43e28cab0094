// SPDX-License-Identifier: MIT
#include "capture/scopes.hpp"

#include <algorithm>
#include <numeric>

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
  // These were lost before, and are to every scope.
  scope.lost_before[static_cast<std::uint32_t>(Lost::kSlotsRefused)] = 0;
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
    engine.pool.deallocate(detail.saved, engine.windows[info.window].width * sizeof(Saved));
    detail = AccountDetail{};
    account = Account{};
  });
  info.window = kind;
  info.forward = forward;
  info.blocks = blocks;
  if (blocks == 0) engine.free_accounts[engine.free_account_count++] = id;
}

// Makes room for `width` saved values of an account of the window, each scope's at `column(rank)`.
template <class Column>
void lay_out(Lane& lane, std::uint32_t id, const Window& window, std::uint32_t width,
             Column column) noexcept {
  AccountDetail& detail = lane.details[id];
  if (detail.saved == nullptr) return;
  auto* saved = static_cast<Saved*>(engine.pool.allocate(width * sizeof(Saved)));
  for (std::uint32_t i = 0; i < window.count && saved != nullptr; i++)
    saved[column(i)] = detail.saved[window.columns[i]];
  engine.pool.deallocate(detail.saved, window.width * sizeof(Saved));
  detail.saved = saved;
}

// The account of a single scope has the saved value in itself.
void take_inside(Lane& lane, std::uint32_t id, const Window& window) noexcept {
  AccountDetail& detail = lane.details[id];
  if (detail.saved == nullptr) return;
  const Saved& saved = detail.saved[window.columns[0]];
  lane.accounts[id].saved_bytes = saved.bytes;
  lane.accounts[id].saved_count = saved.count;
  detail.reallocated += saved.reallocated;
  engine.pool.deallocate(detail.saved, window.width * sizeof(Saved));
  detail.saved = nullptr;
}

// Saved values of scopes that have left stay until they are half of all: then each close costs only
// its share of taking them out.
void narrow(Window& window) noexcept {
  if (window.count * 2 > window.width) return;
  for (std::uint32_t id = window.first_account; id != 0; id = engine.infos[id].next) {
    engine.each_lane([&](Lane& lane) {
      if (window.count == 1) return take_inside(lane, id, window);
      lay_out(lane, id, window, window.count, [](std::uint32_t rank) { return rank; });
    });
  }
  std::iota(window.columns, window.columns + window.count, 0u);
  window.width = window.count;
}

// Adds one lane's counters of account `id` to those of `into`. Their windows are the same set.
void merge_lane(Lane& lane, std::uint32_t id, std::uint32_t into) noexcept {
  WindowId from = engine.infos[id].window, to = engine.infos[into].window;
  const Window& window = engine.windows[to];
  Account& a = lane.accounts[id];
  Account& b = lane.accounts[into];
  for (std::uint32_t i = 0; i < window.count; i++) {
    Saved x = saved_value(lane, id, from, i), y = saved_value(lane, into, to, i);
    Saved sum{x.bytes + y.bytes, x.count + y.count, x.reallocated + y.reallocated};
    if (window.count == 1) {
      b.saved_bytes = sum.bytes;
      b.saved_count = sum.count;
    } else if (Saved* saved = saved_array(lane, into)) {
      saved[window.columns[i]] = sum;
    }
  }
  b.window = to;
  b.allocated_count += a.allocated_count;
  b.allocated_bytes += a.allocated_bytes;
  b.freed_count += a.freed_count;
  b.freed_bytes += a.freed_bytes;
  b.temporary_count += a.temporary_count;
  b.stamp = engine.tick;
  lane.details[into].reallocated += lane.details[id].reallocated;
}

std::uint64_t account_hash(std::uint32_t id) noexcept {
  return memory::hash_pair(engine.infos[id].place, engine.infos[id].window);
}

// Nothing finds the account any more, neither by its content nor by the short way.
void hide_account(std::uint32_t id) noexcept {
  const AccountInfo& info = engine.infos[id];
  engine.account_index.erase(account_hash(id), id, account_hash);
  std::uint32_t& last = engine.tree.last_account(info.place);
  if (last == id) last = 0;
}

// The account belongs to window `to` from now on, which is the same set as its own.
void move_account(std::uint32_t id, WindowId to) noexcept {
  hide_account(id);
  AccountInfo& info = engine.infos[id];
  std::uint64_t h = memory::hash_pair(info.place, to);
  std::uint32_t into = engine.account_index.find(h, [&](std::uint32_t i) {
    return engine.infos[i].place == info.place && engine.infos[i].window == to;
  });
  if (into != 0) {
    engine.each_lane([&](Lane& lane) { merge_lane(lane, id, into); });
    return retire(id, AccountInfo::kForwarded, into);
  }
  Window& window = engine.windows[to];
  engine.each_lane([&](Lane& lane) {
    lay_out(lane, id, engine.windows[info.window], window.width,
            [&](std::uint32_t rank) { return window.columns[rank]; });
    if (lane.accounts[id].window != kNoWindow) lane.accounts[id].window = to;
  });
  info.window = to;
  info.next = window.first_account;
  window.first_account = id;
  window.account_count++;
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

// Calls `visit(account)` for each of the window's accounts; it may take the account away.
template <class Visit>
void each_account(WindowId window, Visit visit) noexcept {
  for (std::uint32_t id = engine.windows[window].first_account; id != 0;) {
    std::uint32_t next = engine.infos[id].next;
    visit(id);
    id = next;
  }
}

// Does a thread's window hang on it?
bool is_named(WindowId window) noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (thread->in_use && thread->own == window) return true;
  }
  return engine.all == window;
}

void rename(WindowId window, WindowId to) noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (thread->own == window) thread->own = to;
  }
  if (engine.all == window) engine.all = to;
}

// Two windows have become the same set: the one with fewer accounts gives them to the other.
void join(WindowId shrunk, WindowId published) noexcept {
  bool stays = engine.windows[shrunk].account_count > engine.windows[published].account_count;
  WindowId from = stays ? published : shrunk, to = stays ? shrunk : published;
  each_account(from, [&](std::uint32_t id) { move_account(id, to); });
  move_sizes(from, to);
  rename(from, to);
  window_forget(from);
  if (stays) window_publish(to);
}

// The scope has ended. The window stays what it is to its accounts and to threads, so that closing
// one of many scopes costs no more than a look at each window.
void take_out(WindowId id, ScopeId scope) noexcept {
  WindowId same = window_shrink(id, scope);
  Window& window = engine.windows[id];
  if (window.count == 0) {
    each_account(id, [](std::uint32_t account) {
      hide_account(account);
      retire(account, AccountInfo::kDead, 0);
    });
    move_sizes(id, kNoWindow);
    rename(id, kNoWindow);
    return window_forget(id);
  }
  narrow(window);
  if (same != kNoWindow) return join(id, same);
  if (window.first_account == 0 && !is_named(id)) {
    move_sizes(id, kNoWindow);
    return window_forget(id);
  }
  window_publish(id);
}

void forget_in_threads(ScopeId id) noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (!thread->in_use) continue;
    if (Activation* there = find_activation(*thread, id)) remove_activation(*thread, there);
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
  for (WindowId window = kFirstWindow; window < engine.window_top; window++) {
    if (window_has(window, ref.id)) take_out(window, ref.id);
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

namespace {

// Does every scope that records here have its own frame on this thread?
bool all_have_frames(const Thread& thread) noexcept {
  std::uint32_t framed = 0;
  for (std::uint32_t i = 0; i < thread.activation_count; i++) {
    const Activation& activation = thread.activations[i];
    framed += activation.frame != nullptr && window_has(thread.window, activation.scope);
  }
  return framed == engine.windows[thread.window].count;
}

}  // namespace

void refresh_window(Thread& thread) noexcept {
  memory::SpinGuard guard(engine.intern);
  thread.window = thread.paused != 0 ? kNoWindow : window_union(engine.all, thread.own);
  // Only then may the walk stop at the outermost scope's frame.
  bool may_stop = thread.activation_count != 0 && all_have_frames(thread);
  thread.stack.stop = may_stop ? thread.activations[0].frame : nullptr;
}

}  // namespace malloc_tracer::capture
