// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/account.hpp"
#include "capture/call_tree.hpp"
#include "capture/lane.hpp"
#include "capture/thread.hpp"
#include "memory/block_pool.hpp"
#include "memory/id_index.hpp"
#include "memory/page_map.hpp"
#include "memory/relaxed.hpp"
#include "memory/reserved_array.hpp"
#include "memory/spin_lock.hpp"
#include "snapshot/snapshot.hpp"

// The state of recording: one engine per process. The header says what there is and who may change
// it; the work is done in accounting (events), windows and scopes (who records what), world
// (threads, sessions, fork), snapshot_maker (results).
//
//   Thread --window--> {set of scopes}        Path + allocator = place; place + window -> account
//   id (cell of the page map)
//
// Locks, always taken in this order, never across a real allocator call:
//   world   scopes, sessions, threads' registration, handing on of lanes. Whoever holds it can stop
//           all lanes (WorldStop): then no other thread is inside the accounting, and everything
//           below may be changed.
//   intern  windows, accounts, journal, giants: what slow paths of events add to.
//   tree    the call tree's own lock.
// A thread inside the accounting (busy = 1) may take intern and tree, never world. All others
// (mappings, slots of barriers, the hooks' switch) are the last of their thread (LockRank::kLast).
// Of signal handlers: thread.hpp, world.hpp, spin_lock.hpp.
namespace malloc_tracer::capture {

enum class Lost : std::uint32_t {
  kPathTableFull,
  kAccountTableFull,
  kPageMapFull,
  kStackCut,
  kReentered,
  kThreadsFull,
  kJournalFull,
  kWorldNotStopped,
  kWindowsFull,
  kFreeListsOn,
  kLoaderNotTold,
  kSlotsRefused,
};
inline constexpr std::uint32_t kLostReasons = 12;
const char* lost_text(Lost reason) noexcept;

// A scope's live bytes are peak - headroom. `peak_epoch` is the tick of its last new maximum.
struct Scope {
  std::int64_t headroom;
  std::int64_t peak;
  memory::Relaxed<std::uint64_t> peak_epoch;
  std::uint64_t serial;  // of all scopes ever opened: tells a reused id from the scope that had it
  std::int64_t began_ns, paused_ns;  // the first activation; the last suspension
  std::uint64_t lost_before[kLostReasons];
  snapshot::TimelinePoint* timeline;
  std::uint64_t timeline_epoch;  // peak_epoch at the last point
  std::int64_t peak_ns;          // when the last sample saw a new peak
  std::uint32_t timeline_count;
  std::uint32_t activations;  // on all threads
  std::uint32_t journal_from;
  bool all;      // records every thread while active
  bool in_peak;  // has had its peak in the main lane's run
  bool open;
  bool ended;  // its last activation has returned: frees from here on are journalled, so that they
               // can be undone
};

struct Window {
  ScopeId* ids;            // sorted
  std::uint32_t* columns;  // where in its accounts' saved values each scope has its own
  std::uint64_t hash;      // of the set
  std::uint32_t count;
  std::uint32_t capacity;       // of both arrays
  std::uint32_t width;          // columns of the saved values
  std::uint32_t first_account;  // list through AccountInfo::next
  std::uint32_t account_count;
  std::uint32_t ended;  // how many of its scopes are `ended`
};

// What all lanes share of an account.
struct AccountInfo {
  static constexpr WindowId kDead = 0, kForwarded = 1;
  PlaceId place;
  WindowId window;  // or kDead, kForwarded: an ended scope's account whose blocks still live
  std::uint32_t next;
  std::uint32_t forward;
  std::uint64_t blocks;  // alive behind a dead or forwarded account
};

struct JournalEntry {
  ScopeId scope;
  PlaceId place;
  std::uint64_t bytes;
  std::uint32_t blocks;
  bool temporary;
};

struct Giant {  // a block of 2 GiB or more
  std::uint64_t address;
  std::uint64_t bytes;
  std::uint32_t account;
};

struct ThreadLabel {
  std::uint64_t id;
  char name[16];
};

// Names a scope across its life: an id with the serial that tells whether it still means the same
// scope.
struct ScopeRef {
  ScopeId id = 0;
  std::uint64_t serial = 0;
};

struct alignas(64) Engine {
  static constexpr std::uint32_t kMaxAccounts = 1u << 24, kMaxWindows = 1u << 20,
                                 kMaxScopes = 1u << 16;
  static constexpr std::uint32_t kMaxThreadLabels = 1u << 20, kMaxJournal = 1u << 27,
                                 kMaxGiants = 1u << 16;
  static constexpr std::uint32_t kTimelinePoints = 1024, kFirstSampleInterval = 64;

  // -- read by every event
  memory::Relaxed<std::uint64_t> generation =
      std::uint64_t{1} << memory::PageMap::kGenerationShift;  // of this session, in a cell's place
  memory::Relaxed<std::uint64_t> tick =
      0;  // time of the accounting: every new maximum takes the next value
  std::atomic<bool> stopping{false};
  std::uint32_t sample_interval = kFirstSampleInterval;
  void (*interrupt)() =
      nullptr;  // asked for through `interrupted`, called from the long way with busy = 0
  std::atomic<bool> interrupted{false};
  std::atomic<std::uint64_t> code_epoch{0};
  Lane main;
  CallTree tree;

  // -- under `world`
  memory::SpinLock world{memory::LockRank::kWorld};
  std::uint64_t scope_serial = 0;
  std::uint32_t open_scopes = 0;
  void (*session_hook)(bool open) =
      nullptr;  // hooks are switched on before the first scope and off after the last

  // -- under `intern` (or with the world stopped)
  memory::SpinLock intern{memory::LockRank::kIntern};
  memory::ReservedArray<Scope> scopes;
  memory::ReservedArray<Window> windows;
  memory::ReservedArray<AccountInfo> infos;
  memory::ReservedArray<JournalEntry> journal;
  memory::ReservedArray<Giant> giants;
  memory::ReservedArray<ThreadLabel> labels;
  memory::ReservedArray<std::uint32_t> free_accounts, waiting_accounts, free_windows, free_scopes;
  memory::IdIndex window_index, account_index;
  memory::BlockPool pool;
  Thread* threads = nullptr;
  Lane* lanes = nullptr;  // kept in `lane_pages`
  memory::ReservedArray<Lane> lane_pages;
  WindowId all = kNoWindow;  // the threads="all" scopes active anywhere
  std::uint32_t scope_top = 1, window_top = kFirstWindow, account_top = 1, journal_count = 0,
                giant_count = 0, label_count = 0;
  std::uint32_t lane_count = 0, free_account_count = 0, waiting_account_count = 0,
                free_window_count = 0, free_scope_count = 0;
  std::uint32_t thread_count = 0, giant_serial = 0;
  // Ids below these fit into every lane: where address space is short, a lane may have less of it.
  std::uint32_t account_room = kMaxAccounts, window_room = kMaxWindows;
  bool started = false;

  std::atomic<std::uint64_t> lost[kLostReasons] = {};
  void lose(Lost reason) noexcept {
    lost[static_cast<std::uint32_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  // Calls `visit` for the main lane and every other.
  template <class Visit>
  void each_lane(Visit visit) noexcept {
    visit(main);
    for (std::uint32_t i = 0; i < lane_count; i++) visit(lane_pages[i]);
  }
};

extern constinit Engine engine;
extern constinit memory::PageMap
    page_map;  // apart from the engine: all zero, so it takes no room in the file

}  // namespace malloc_tracer::capture
