// SPDX-License-Identifier: MIT
#include "capture/accounting.hpp"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "capture/checked.hpp"
#include "capture/windows.hpp"
#include "capture/world.hpp"

namespace malloc_tracer::capture {

namespace {

constexpr std::int64_t kInfinite = std::numeric_limits<std::int64_t>::max();

const Window& window_of(const Run& run) noexcept { return engine.windows[run.window]; }

// The run's maximum has passed the headroom of one more scope: it has its peak in this run too.
MT_COLD void widen(Run& run) noexcept {
  run.threshold = kInfinite;
  run.rest_epoch = 0;
  const Window& window = window_of(run);
  for (std::uint32_t i = 0; i < window.count; i++) {
    Scope& scope = engine.scopes[window.ids[i]];
    if (scope.in_peak) continue;
    if (scope.headroom < run.max) {
      scope.in_peak = true;
    } else {
      run.threshold = std::min(run.threshold, scope.headroom);
      run.rest_epoch = std::max<std::uint64_t>(run.rest_epoch, scope.peak_epoch);
    }
  }
}

void new_maximum(Run& run, std::int64_t room) noexcept {
  run.max -= room;
  run.room = 0;
  if (run.max > run.threshold) widen(run);
}

// The account is about to change: keep its live value for the scopes that had their peak since its
// last change; with `rest_only`, for those outside the run's peak.
void save(Lane& lane, std::uint32_t id, Account& account, bool rest_only) noexcept {
  const Run& run = lane.run;
  bool in_run = run.window != kNoRun;
  if (run.single && run.window == account.window && !rest_only) {
    return save_share(account);
  }
  const Window& window = engine.windows[account.window];
  Saved* saved = nullptr;
  for (std::uint32_t i = 0; i < window.count; i++) {
    const Scope& scope = engine.scopes[window.ids[i]];
    bool in_peak = lane.main && scope.in_peak;
    if (rest_only && in_peak) continue;
    std::uint64_t epoch = in_run && in_peak ? run.all_epoch : std::uint64_t{scope.peak_epoch};
    if (epoch <= account.stamp) continue;
    if (window.count == 1) {
      save_share(account);
      break;
    }
    if (saved == nullptr) saved = saved_array(lane, id);
    if (saved == nullptr) break;
    saved[window.columns[i]].bytes = account.live_bytes();
    saved[window.columns[i]].count = account.live_count();
  }
  account.stamp = engine.tick;
}

std::uint64_t hash_account(std::uint32_t id) noexcept {
  return memory::hash_pair(engine.infos[id].place, engine.infos[id].window);
}

std::uint32_t new_account(PlaceId place, WindowId window) noexcept {
  bool reuse = engine.free_account_count > 0;
  std::uint32_t id =
      reuse ? engine.free_accounts[engine.free_account_count - 1] : engine.account_top;
  if (id >= std::min(engine.infos.capacity(), engine.account_room)) return 0;
  engine.infos[id] = AccountInfo{place, window, engine.windows[window].first_account, 0, 0};
  memory::danger(memory::Danger::kHalfMade);
  if (!engine.account_index.insert(memory::hash_pair(place, window), id, hash_account)) return 0;
  engine.windows[window].first_account = id;
  engine.windows[window].account_count++;
  if (reuse) {
    engine.free_account_count--;
  } else {
    engine.account_top++;
  }
  return id;
}

// Requires: `intern`.
std::uint32_t find_or_make(PlaceId place, WindowId window) noexcept {
  std::uint32_t id =
      engine.account_index.find(memory::hash_pair(place, window), [&](std::uint32_t i) {
        return engine.infos[i].place == place && engine.infos[i].window == window;
      });
  return id != 0 ? id : new_account(place, window);
}

// What goes away after an ended scope's last return, so that its snapshot can undo it.
void journal(Held held, bool temporary) noexcept {
  memory::SpinGuard guard(engine.intern);
  const AccountInfo& info = engine.infos[held.account];
  const Window& window = engine.windows[info.window];
  for (std::uint32_t i = 0; i < window.count; i++) {
    if (!engine.scopes[window.ids[i]].ended) continue;
    if (engine.journal_count == engine.journal.capacity()) return engine.lose(Lost::kJournalFull);
    engine.journal[engine.journal_count++] =
        JournalEntry{window.ids[i], info.place, held.bytes, held.blocks, temporary};
  }
}

}  // namespace

void settle(Lane& main) noexcept {
  Run& run = main.run;
  if (run.window == kNoRun) return;
  std::int64_t used = run.max - run.room;
  const Window& window = window_of(run);
  for (std::uint32_t i = 0; i < window.count; i++) {
    Scope& scope = engine.scopes[window.ids[i]];
    if (scope.in_peak) {
      scope.peak += run.max - scope.headroom;
      scope.headroom = run.room;
      scope.peak_epoch = run.all_epoch;
      scope.in_peak = false;
    } else {
      scope.headroom -= used;
    }
  }
  run.window = kNoRun;
  run.match = kNoRun;
}

namespace {

// What a lane did since it last handed on, kept by window.
void put_aside(Lane& lane) noexcept {
  Run& run = lane.run;
  if (run.window == kNoRun) return;
  std::int64_t delta = run.max - run.room;
  auto* end = lane.pending + lane.pending_count;
  auto* entry =
      std::find_if(lane.pending, end, [&](const Pending& p) { return p.window == run.window; });
  if (entry == end) {
    *entry = Pending{run.window, 0};
    lane.pending_count++;
  }
  entry->delta += delta;
  run.window = kNoRun;
  run.match = kNoRun;
  bool far = entry->delta > lane.credit || entry->delta < -lane.credit;
  lane.overdue = lane.overdue || far || lane.pending_count >= Lane::kPendingWanted;
}

}  // namespace

bool settle_lane(Lane& lane) noexcept {
  put_aside(lane);
  bool higher = false;
  for (int p = 0; p < lane.pending_count; p++) {
    const Window& window = engine.windows[lane.pending[p].window];
    for (std::uint32_t i = 0; i < window.count; i++) {
      Scope& scope = engine.scopes[window.ids[i]];
      scope.headroom -= lane.pending[p].delta;
      higher = higher || scope.headroom < 0;
    }
  }
  lane.pending_count = 0;
  lane.overdue = false;
  return higher;
}

namespace {

void enter_window(Lane& lane, WindowId window_id) noexcept {
  Run& run = lane.run;
  if (run.window == window_id && run.match != kNoRun) return;
  if (lane.main) {
    settle(lane);
  } else {
    put_aside(lane);
  }
  const Window& window = engine.windows[window_id];
  std::int64_t least = kInfinite;
  std::uint64_t epoch = 0;
  for (std::uint32_t i = 0; i < window.count; i++) {
    const Scope& scope = engine.scopes[window.ids[i]];
    if (lane.main) least = std::min(least, scope.headroom);  // the others' threads may not look
    epoch = std::max<std::uint64_t>(epoch, scope.peak_epoch);
  }
  run.window = window_id;
  lane.sizes = lane.size_pages[window_id].of_width;
  run.single = window.count == 1;
  run.rest_epoch = run.all_epoch = epoch;
  if (lane.main) {
    run.room = run.max = run.threshold = least;
    run.ceiling = kInfinite;
  } else {
    run.room = run.max = lane.credit;
    run.threshold = -1;  // every overdraft takes the long way
    run.ceiling = 2 * lane.credit;
  }
  memory::danger(memory::Danger::kEntering);
  bool short_way = window.ended == 0 && !engine.interrupted.load(std::memory_order_relaxed);
  run.match = short_way ? window_id : kNoRun;
}

}  // namespace

void finish(Lane& lane) noexcept {
  // A signal handler's event in a thread that stops the world leaves it to the next one.
  if (!lane.overdue || lane.owner->stops_world) return;
  Away away(*lane.owner);
  memory::danger(memory::Danger::kOutToStop);
  WorldStop stop;
  settle_all_lanes();
  lane.credit = std::min(2 * lane.credit, Lane::kMostCredit);
}

std::uint32_t account_of(const Thread& thread, PlaceId place, WindowId window) noexcept {
  memory::SpinGuard guard(engine.intern);
  std::uint32_t id = find_or_make(place, window);
  if (id == 0) {
    engine.lose(Lost::kAccountTableFull);
    return find_or_make(place_of(thread.root, allocator_of(place)), window);
  }
  engine.tree.last_account(place) = id;
  return id;
}

namespace {

// The lane's counters of an account; the run's window is the account's. Requires: the account is of
// an open scope.
Account& ready_account(Lane& lane, std::uint32_t id) noexcept {
  check_writer(lane);
  Account& account = lane.accounts[id];
  if (account.window == kNoWindow) account.window = engine.infos[id].window;
  if (account.window != lane.run.match) enter_window(lane, account.window);
  return account;
}

// The run's room after an event; `accounts` are about to change. True: it is a new maximum, and the
// caller ticks when they have changed.
bool move_room(Lane& lane, std::int64_t room,
               std::initializer_list<std::uint32_t> accounts) noexcept {
  Run& run = lane.run;
  bool maximum = lane.main && room < 0;
  if (maximum) {
    new_maximum(run, room);
  } else {
    run.room = room;
    lane.overdue = lane.overdue || (!lane.main && (room < 0 || room > run.ceiling));
  }
  for (std::uint32_t id : accounts) {
    Account& account = lane.accounts[id];
    if (account.stamp < (maximum ? run.rest_epoch : run.all_epoch))
      save(lane, id, account, maximum);
  }
  return maximum;
}

}  // namespace

void charge(Lane& lane, std::uint32_t id, std::uint64_t bytes) noexcept {
  Account& account = ready_account(lane, id);
  bool maximum = move_room(lane, lane.run.room - static_cast<std::int64_t>(bytes), {id});
  account.allocated_bytes += bytes;
  account.allocated_count++;
  lane.sizes[SizeCounts::width(bytes)]++;
  if (maximum) lane.run.all_epoch = ++engine.tick;
}

memory::PageMap::Cell make_cell(std::uint32_t account, std::uint64_t address,
                                std::uint64_t bytes) noexcept {
  using memory::PageMap;
  if (MT_LIKELY(bytes <= PageMap::kMostBytes)) {
    return engine.generation | std::uint64_t{account} << PageMap::kAccountShift |
           apart(allocator_of(engine.infos[account].place)) | bytes;
  }
  memory::SpinGuard guard(engine.intern);
  if (engine.giant_count == engine.giants.capacity()) {
    engine.lose(Lost::kPageMapFull);
    return 0;
  }
  engine.giants[engine.giant_count++] = Giant{address, bytes, account};
  // The serial tells two giants at one address apart.
  return engine.generation | PageMap::kApart | (++engine.giant_serial & PageMap::kMostBytes);
}

namespace {

Held take_giant(std::uint64_t address) noexcept {
  memory::SpinGuard guard(engine.intern);
  for (std::uint32_t i = 0; i < engine.giant_count; i++) {
    Giant giant = engine.giants[i];
    if (giant.address != address) continue;
    engine.giants[i] = engine.giants[--engine.giant_count];
    return Held{giant.account, giant.bytes};
  }
  return Held{0, 0};
}

// The account that counts now for a block of `id`; 0 if no open scope wants it. A block less behind
// retired accounts.
std::uint32_t resolve(std::uint32_t id) noexcept {
  if (engine.infos[id].window >= kFirstWindow) return id;
  memory::SpinGuard guard(engine.intern);
  while (id != 0 && engine.infos[id].window < kFirstWindow) {
    AccountInfo& info = engine.infos[id];
    std::uint32_t next = info.window == AccountInfo::kForwarded ? info.forward : 0;
    // Not free before the next close: a Thread::last_cell may still name it.
    if (--info.blocks == 0) engine.waiting_accounts[engine.waiting_account_count++] = id;
    id = next;
  }
  return id;
}

}  // namespace

Held release_cell(memory::PageMap::Cell cell, std::uint64_t address) noexcept {
  std::uint32_t id = memory::PageMap::account(cell);
  Held held{id, memory::PageMap::bytes(cell)};
  if (MT_UNLIKELY(id == 0)) held = take_giant(address);
  held.account = resolve(held.account);
  return held;
}

Held release_account(std::uint32_t account, std::uint64_t bytes) noexcept {
  return Held{resolve(account), bytes};
}

Held release_part(std::uint32_t id, std::uint64_t bytes) noexcept {
  memory::SpinGuard guard(engine.intern);
  while (id != 0 && engine.infos[id].window < kFirstWindow) {
    const AccountInfo& info = engine.infos[id];
    id = info.window == AccountInfo::kForwarded ? info.forward : 0;
  }
  return Held{id, bytes, 0};
}

void uncharge(Lane& lane, Held held, bool temporary) noexcept {
  if (held.account == 0) return;
  Account& account = ready_account(lane, held.account);
  if (engine.windows[account.window].ended != 0) journal(held, temporary);
  move_room(lane, lane.run.room + static_cast<std::int64_t>(held.bytes), {held.account});
  account.freed_bytes += held.bytes;
  account.freed_count += held.blocks;
  account.temporary_count += temporary;
}

namespace {

// The reallocation counts for the scopes that held the old block and record the new one.
void count_reallocation(Lane& lane, const Window& before, std::uint32_t id) noexcept {
  const Window& window = engine.windows[engine.infos[id].window];
  auto held = [&](std::uint32_t k) {
    return std::binary_search(before.ids, before.ids + before.count, window.ids[k]);
  };
  std::uint32_t both = 0;
  for (std::uint32_t k = 0; k < window.count; k++) both += held(k);
  if (both == window.count) {
    lane.details[id].reallocated++;
  } else if (Saved* saved = both != 0 ? saved_array(lane, id) : nullptr) {
    for (std::uint32_t k = 0; k < window.count; k++)
      saved[window.columns[k]].reallocated += held(k);
  }
}

// A reallocation within one window: one change of `room`, so old and new are never both in the
// peak.
void recharge_in_window(Lane& lane, Held before, std::uint32_t id, std::uint64_t bytes) noexcept {
  Account& to = ready_account(lane, id);
  Account& from = ready_account(lane, before.account);
  std::int64_t change = static_cast<std::int64_t>(before.bytes) - static_cast<std::int64_t>(bytes);
  bool maximum = move_room(lane, lane.run.room + change, {before.account, id});
  from.freed_bytes += before.bytes;
  from.freed_count++;
  to.allocated_bytes += bytes;
  to.allocated_count++;
  lane.sizes[SizeCounts::width(bytes)]++;
  lane.details[id].reallocated++;
  if (maximum) lane.run.all_epoch = ++engine.tick;
}

// Different windows: scope by scope, without a run. Main lane, or the world stopped.
void recharge_across(Lane& lane, Held before, std::uint32_t id, std::uint64_t bytes) noexcept {
  const Window& old_window = engine.windows[engine.infos[before.account].window];
  Account& to = lane.accounts[id];
  to.window = engine.infos[id].window;
  const Window& new_window = engine.windows[to.window];
  bool maximum = false;
  std::uint32_t i = 0, j = 0;
  auto change = [&](ScopeId scope_id, std::int64_t delta) {
    Scope& scope = engine.scopes[scope_id];
    scope.headroom -= delta;
    if (scope.headroom >= 0) return;
    scope.peak -= scope.headroom;
    scope.headroom = 0;
    scope.in_peak = maximum = true;
  };
  auto grown = static_cast<std::int64_t>(bytes), gone = static_cast<std::int64_t>(before.bytes);
  while (i < old_window.count || j < new_window.count) {
    if (j == new_window.count || (i < old_window.count && old_window.ids[i] < new_window.ids[j])) {
      change(old_window.ids[i++], -gone);
    } else if (i == old_window.count || new_window.ids[j] < old_window.ids[i]) {
      change(new_window.ids[j++], grown);
    } else {
      change(new_window.ids[j], grown - gone);
      i++, j++;
    }
  }
  Account& from = lane.accounts[before.account];
  from.window = engine.infos[before.account].window;
  save(lane, before.account, from, true);
  from.freed_bytes += before.bytes;
  from.freed_count++;
  if (old_window.ended != 0) journal(before, false);
  save(lane, id, to, true);
  to.allocated_bytes += bytes;
  to.allocated_count++;
  lane.size_pages[to.window].of_width[SizeCounts::width(bytes)]++;
  count_reallocation(lane, old_window, id);
  if (!maximum) return;
  std::uint64_t tick = ++engine.tick;
  for (std::uint32_t k = 0; k < new_window.count; k++) {
    Scope& scope = engine.scopes[new_window.ids[k]];
    if (!scope.in_peak) continue;
    scope.in_peak = false;
    scope.peak_epoch = tick;
  }
}

}  // namespace

void recharge(Lane& lane, Held before, std::uint32_t id, std::uint64_t bytes) noexcept {
  if (before.account != 0 && engine.infos[before.account].window == engine.infos[id].window) {
    return recharge_in_window(lane, before, id, bytes);
  }
  if (before.account == 0) return charge(lane, id, bytes);
  if (lane.main) {
    settle(lane);
    return recharge_across(lane, before, id, bytes);
  }
  count_reallocation(lane, engine.windows[engine.infos[before.account].window], id);
  uncharge(lane, before, false);  // other lanes' peaks are approximate anyway: two steps
  charge(lane, id, bytes);
}

Saved* saved_array(Lane& lane, std::uint32_t id) noexcept {
  AccountDetail& detail = lane.details[id];
  if (detail.saved == nullptr) {
    memory::SpinGuard guard(engine.intern);
    const Window& window = engine.windows[engine.infos[id].window];
    detail.saved = static_cast<Saved*>(engine.pool.allocate(window.width * sizeof(Saved)));
  }
  return detail.saved;
}

Saved saved_value(const Lane& lane, std::uint32_t id, WindowId window_id,
                  std::uint32_t rank) noexcept {
  const Account& account = lane.accounts[id];
  const Window& window = engine.windows[window_id];
  Saved saved{0, 0, 0};
  if (lane.details[id].saved != nullptr) saved = lane.details[id].saved[window.columns[rank]];
  if (window.count == 1) saved = Saved{account.saved_bytes, account.saved_count, saved.reallocated};
  if (engine.scopes[window.ids[rank]].peak_epoch > account.stamp) {
    saved.bytes = account.live_bytes();
    saved.count = account.live_count();
  }
  return saved;
}

}  // namespace malloc_tracer::capture
