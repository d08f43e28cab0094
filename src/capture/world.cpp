// SPDX-License-Identifier: MIT
#include "capture/world.hpp"

#include <algorithm>
#include <new>

#include "capture/accounting.hpp"
#include "capture/checked.hpp"
#include "capture/windows.hpp"
#include "platform/cpu.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture {

constinit Engine engine;
constinit memory::PageMap page_map;
constinit Thread no_thread{
    true};  // hooks find it closed and register the thread: the usual case needs no test
namespace {
// Being registered, or gone: no block of its own, now or any more.
constinit thread_local bool is_nobody __attribute__((tls_model("initial-exec"))) = false;
}  // namespace
constinit thread_local Thread* self_block __attribute__((tls_model("initial-exec"))) = &no_thread;

const char* lost_text(Lost reason) noexcept {
  switch (reason) {
    case Lost::kPathTableFull:
      return "call paths cut short (path table full)";
    case Lost::kAccountTableFull:
      return "events charged to the thread only (account table full)";
    case Lost::kPageMapFull:
      return "allocations not recorded (no memory for the page map)";
    case Lost::kStackCut:
      return "call paths cut short (stack too deep)";
    case Lost::kReentered:
      return "events not recorded (signal handler inside the tracer)";
    case Lost::kThreadsFull:
      return "threads not recorded (no memory for their blocks)";
    case Lost::kJournalFull:
      return "frees after the end counted as before it (journal full)";
    case Lost::kWindowsFull:
      return "events not recorded in some scopes (no memory for their sets)";
    case Lost::kWorldNotStopped:
      return "numbers read while a thread was changing them";
    case Lost::kFreeListsOn:
      return "small objects reused unseen (CPython 3.9 cannot switch its free lists off)";
    case Lost::kLoaderNotTold:
      return "libraries loaded inside, whose calls may be missing (loader not told of the tracer)";
    case Lost::kSlotsRefused:
      return "libraries whose calls are missing (their tables cannot be written)";
  }
  return "events not recorded";
}

namespace {

bool start_lane(Lane& lane) noexcept {
  // Staggered: page-aligned arrays used at equal low address bits cost 2-3 ns per event.
  if (!lane.account_pages.reserve(Engine::kMaxAccounts, std::max(engine.account_top, 1u << 14),
                                  128) ||
      !lane.detail_pages.reserve(lane.account_pages.capacity(), lane.account_pages.capacity(),
                                 192) ||
      !lane.size_pages.reserve(Engine::kMaxWindows, std::max(engine.window_top, 1u << 10), 256)) {
    return false;
  }
  engine.account_room = std::min(engine.account_room, lane.account_pages.capacity());
  engine.window_room = std::min(engine.window_room, lane.size_pages.capacity());
  lane.accounts = lane.account_pages.data();
  lane.details = lane.detail_pages.data();
  return true;
}

bool start_stack(StackCache& stack) noexcept {
  constexpr std::uint32_t kLeast = 4096;
  if (!stack.frame_pages.reserve(StackCache::kMaxDepth, kLeast, 320) ||
      !stack.path_pages.reserve(stack.frame_pages.capacity(), kLeast, 448) ||
      !stack.cache_pages.reserve(1u << StackCache::kNodeCacheBits, 1u << StackCache::kNodeCacheBits,
                                 704) ||
      !stack.barriers.reserve(StackCache::kMaxBarriers, kLeast) ||
      !stack.scratch.reserve(StackCache::kMaxDepth, kLeast)) {
    return false;
  }
  stack.frames = stack.frame_pages.data();
  stack.paths = stack.path_pages.data();
  stack.cache = stack.cache_pages.data();
  stack.set_top(0);
  stack.set_bar(0);
  return true;
}

// A lane without an owner, or a new one; nullptr if memory is short.
Lane* spare_lane() noexcept {
  for (std::uint32_t i = 0; i < engine.lane_count; i++) {
    if (engine.lane_pages[i].owner == nullptr) return &engine.lane_pages[i];
  }
  if (engine.lane_count == engine.lane_pages.capacity()) return nullptr;
  Lane* lane = new (&engine.lane_pages[engine.lane_count]) Lane;
  if (!start_lane(*lane)) return nullptr;
  engine.lane_count++;
  return lane;
}

// A thread without the interpreter's lock writes the main lane only while it is alone.
void use_own_lane(Thread& thread) noexcept {
  if (thread.lane[0] != &engine.main) return;
  Lane* lane = spare_lane();
  if (lane == nullptr) return engine.lose(Lost::kThreadsFull);
  lane->owner = &thread;
  thread.lane[0] = lane;
  if (thread.foreign) thread.lane[1] = lane;
}

Thread* spare_thread() noexcept {
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (!thread->in_use) return thread;
  }
  void* place = platform::reserve(sizeof(Thread));
  if (place == nullptr) return nullptr;
  auto* thread = new (place) Thread;
  if (!start_stack(thread->stack) || !thread->activations.reserve(Thread::kMaxActivations, 64))
    return nullptr;
  thread->next = engine.threads;
  engine.threads = thread;
  return thread;
}

std::uint32_t new_label() noexcept {
  if (engine.label_count == engine.labels.capacity()) return engine.label_count - 1;
  ThreadLabel& label = engine.labels[engine.label_count];
  label.id = platform::thread_id();
  platform::thread_name(label.name);
  return engine.label_count++;
}

void label_thread(Thread& thread) noexcept {
  thread.serial = new_label();
  thread.root = engine.tree.child(0, PathKey{KeyKind::kThread, thread.serial, 0});
}

// Alone again: the thread left over may use the main lane whether or not it holds the interpreter's
// lock. Requires: the world stopped.
void rejoin_main_lane() noexcept {
  settle_all_lanes();
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (!thread->in_use || thread->lane[0] == &engine.main) continue;
    thread->lane[0]->owner = nullptr;
    thread->lane[0] = thread->lane[1] = &engine.main;
  }
}

void thread_gone(void* cookie) {
  auto* thread = static_cast<Thread*>(cookie);
  is_nobody = true;
  self_block = &no_thread;
  thread->inside = 1;
  WorldStop stop;
  if (thread->lane[0] != &engine.main) thread->lane[0]->owner = nullptr;
  thread->lane[0] = nullptr;
  thread->in_use = false;
  if (--engine.thread_count == 1) rejoin_main_lane();
}

// The calling thread's block, on the list; nullptr if memory is short.
Thread* new_thread() noexcept {
  WorldStop stop;
  Thread* thread = spare_thread();
  if (thread == nullptr) {
    engine.lose(Lost::kThreadsFull);
    return nullptr;
  }
  thread->in_use = true;
  thread->inside = 1;  // what registering allocates is not the program's
  thread->window = kStale;
  thread->own = kNoWindow;
  thread->paused = 0;
  thread->activation_count = 0;
  thread->last_address = 0;
  thread->stack.thread_state = &thread->stack;
  thread->main_state = thread;
  thread->lane[0] = thread->lane[1] = &engine.main;
  thread->foreign = false;  // until it is met
  if (++engine.thread_count > 1) {
    for (Thread* other = engine.threads; other != nullptr; other = other->next) {
      if (other->in_use) use_own_lane(*other);
    }
  } else {
    engine.main.owner = thread;
  }
  label_thread(*thread);
  return thread;
}

}  // namespace

MT_COLD Thread& register_self() noexcept {
  // The C library's own clean-up comes after the last notice of a thread's end: nobody would take
  // such a thread off the list again.
  if (!engine.started || is_nobody) return no_thread;
  is_nobody = true;
  memory::danger(memory::Danger::kRegistering);
  Thread* thread = new_thread();
  if (thread != nullptr) self_block = thread;
  is_nobody = false;
  if (thread == nullptr) return no_thread;
  platform::at_thread_exit(thread_gone, thread);
  thread->inside = 0;
  return *thread;
}

namespace {

// True if another thread may be inside the accounting.
bool others_exist() noexcept { return engine.thread_count > (self_block == &no_thread ? 0 : 1); }

// False if a thread does not come out: it may have left a hook by siglongjmp. One that is only
// waiting for a processor does.
bool comes_out(const Thread& thread) noexcept {
  constexpr std::int64_t kPatienceNs = 2'000'000'000;
  std::int64_t since = 0;
  for (int spins = 1; thread.busy.load(std::memory_order_acquire) != 0; spins++) {
    if (spins % 64 != 0) continue;
    platform::yield();
    std::int64_t now = platform::monotonic_ns();
    if (since == 0) since = now;
    if (now - since > kPatienceNs) return false;
  }
  return true;
}

bool all_out() noexcept {
  bool out = true;
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    out = (thread == self_block || comes_out(*thread)) && out;
  }
  return out;
}

bool send_to_long_way() noexcept {
  bool changed = false;
  engine.each_lane([&](Lane& lane) {
    if (lane.run.match == kNoRun) return;
    lane.run.match = kNoRun;
    changed = true;
  });
  return changed;
}

}  // namespace

// `no_thread` is in, whoever it is; it stays so meanwhile, for to be registered takes the lock.
WorldStop::WorldStop() noexcept : thread_(*self_block), was_nobody_(is_nobody) {
  bool known = &thread_ != &no_thread;
  if (known) {
    thread_.stops_world = true;
  } else {
    is_nobody = true;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  engine.world.lock();
  if (known) {
    thread_.inside++;
    step_in(thread_);
  }
  if (!others_exist()) return;
  engine.stopping.store(true, std::memory_order_seq_cst);
  memory::danger(memory::Danger::kStopping);
  // A thread that was between reading `stopping` and setting `match` is out by now, and shows up as
  // a changed match, which its next events may have followed: once more.
  do {
    send_to_long_way();
    platform::barrier_all_threads();
    if (!all_out()) {
      engine.lose(Lost::kWorldNotStopped);
      break;
    }
  } while (send_to_long_way());
}

WorldStop::~WorldStop() {
  engine.stopping.store(false, std::memory_order_release);
  memory::danger(memory::Danger::kResumed);
  bool known = &thread_ != &no_thread;
  if (known) {
    step_out(thread_);
    thread_.inside--;
  }
  engine.world.unlock();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (known) {
    thread_.stops_world = false;
  } else {
    is_nobody = was_nobody_;
  }
}

Away::Away(Thread& thread) noexcept : thread_(thread), inside_(thread.inside) {
  thread.inside = 0;
  step_out(thread);
}

Away::~Away() {
  step_in(thread_);
  thread_.inside = inside_;
}

void wait_for_world(Thread& thread) noexcept {
  Away away(thread);
  memory::danger(memory::Danger::kWaiting);
  for (int spins = 0; engine.stopping.load(std::memory_order_acquire);) {
    if (++spins % 64 == 0) platform::yield();
    platform::relax();
  }
}

void settle_all_lanes() noexcept {
  settle(engine.main);
  bool higher = false;
  for (std::uint32_t i = 0; i < engine.lane_count; i++)
    higher = settle_lane(engine.lane_pages[i]) || higher;
  if (!higher) return;
  std::uint64_t tick = ++engine.tick;
  for (ScopeId id = 1; id < engine.scope_top; id++) {
    Scope& scope = engine.scopes[id];
    if (!scope.open || scope.headroom >= 0) continue;
    scope.peak -= scope.headroom;
    scope.headroom = 0;
    scope.peak_epoch = tick;
  }
}

namespace {

void drop_accounts() noexcept {
  for (std::uint32_t id = 1; id < engine.account_top; id++)
    engine.tree.last_account(engine.infos[id].place) = 0;
  engine.each_lane([](Lane& lane) {
    lane.account_pages.clear(engine.account_top);
    lane.detail_pages.clear(engine.account_top);
    lane.pending_count = 0;
    lane.overdue = false;
    lane.credit = Lane::kFirstCredit;
    lane.run = Run{};
  });
  engine.account_index.clear();
  engine.account_top = 1;
  engine.free_account_count = engine.waiting_account_count = 0;
  engine.giant_count = 0;
  engine.journal_count = 0;
}

// The thread in use with the lowest serial of at least `least`.
Thread* lowest_serial_from(std::uint32_t least) noexcept {
  Thread* lowest = nullptr;
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    if (!thread->in_use || thread->serial < least) continue;
    if (lowest == nullptr || thread->serial < lowest->serial) lowest = thread;
  }
  return lowest;
}

// Thread labels and paths outlive sessions so that the next one starts warm; only a worn tree
// starts over.
void start_tree_over() noexcept {
  engine.tree.clear();
  engine.code_epoch.fetch_add(1, std::memory_order_relaxed);
  // The lowest serial first: a label moves down or stays, and never over one that is still to move.
  std::uint32_t kept = 0, least = 0;
  for (Thread* lowest; (lowest = lowest_serial_from(least)) != nullptr; kept++) {
    std::uint32_t serial = lowest->serial;
    engine.labels[kept] = engine.labels[serial];
    PathId root = engine.tree.child(0, PathKey{KeyKind::kThread, kept, 0});
    for (Thread* thread = lowest; thread != nullptr;
         thread = thread->next) {  // a full table's last label has many
      if (!thread->in_use || thread->serial != serial) continue;
      thread->serial = kept;
      thread->root = root;
    }
    least = serial + 1;
  }
  engine.label_count = kept;
}

}  // namespace

void end_session() noexcept {
  OwnAllocations own(*self_block);
  if (engine.session_hook != nullptr) engine.session_hook(false);
  drop_accounts();
  constexpr std::uint64_t kOne = std::uint64_t{1} << memory::PageMap::kGenerationShift,
                          kLast = kOne * 250;
  if (engine.generation >= kLast) {
    page_map.clear();
    forget_records();
    engine.generation = 0;
  }
  engine.generation += kOne;  // one compare makes every cell of this session foreign
  if (engine.tree.worn() || engine.label_count > engine.labels.capacity() / 2) start_tree_over();
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next)
    thread->last_address = 0;
}

namespace {

// No lock is held across fork: other libraries' handlers may wait for threads of theirs, which end
// through our hooks. Instead the child looks whether another thread was in the middle of a table,
// and then begins with new ones; the old memory is left alone.
void begin_with_new_tables() noexcept {
  new (&engine.tree) CallTree;
  new (&engine.window_index) memory::IdIndex;
  new (&engine.account_index) memory::IdIndex;
  new (&engine.pool) memory::BlockPool;
  engine.windows.clear(engine.window_top);
  for (ScopeId id = 0; id < engine.scope_top; id++) engine.scopes[id].timeline = nullptr;
  // Here and now: end_session looks for an account's slot in the tree, where it has none any more.
  engine.each_lane([](Lane& lane) {
    lane.account_pages.clear(engine.account_top);
    lane.detail_pages.clear(engine.account_top);
  });
  engine.account_top = 1;
  engine.code_epoch.fetch_add(1, std::memory_order_relaxed);
  engine.started = engine.tree.start();
}

void forget_scopes() noexcept {
  for (ScopeId id = 1; id < engine.scope_top; id++) engine.scopes[id].open = false;
  for (WindowId window = kFirstWindow; window < engine.window_top; window++)
    engine.windows[window].count = 0;
  engine.each_lane([](Lane& lane) { lane.size_pages.clear(engine.window_top); });
  engine.window_index.clear();
  window_cache_clear();
  engine.window_top = kFirstWindow;
  engine.free_window_count = engine.free_scope_count = 0;
  engine.scope_top = 1;
  engine.open_scopes = 0;
  engine.all = kNoWindow;
}

// The child starts with no scope: an inherited one is inert. Other threads are gone, wherever they
// were.
void after_fork_in_child() {
  bool torn = engine.tree.lock().is_held() || engine.intern.is_held() || engine.world.is_held();
  engine.tree.lock().reset();
  engine.intern.reset();
  engine.world.reset();
  engine.stopping = false;
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    thread->busy = 0;
    thread->stops_world = thread->is_ours = false;
    thread->window = kNoWindow;
    thread->own = kNoWindow;
    thread->activation_count = 0;
    if (thread == self_block) continue;
    if (thread->in_use && thread->lane[0] != &engine.main) thread->lane[0]->owner = nullptr;
    thread->in_use = false;
  }
  // Not counted down: one of them may have been between its mark and the count.
  engine.thread_count = self_block == &no_thread ? 0 : 1;
  // A thread that held a lock may have been ending the session: no scope counts as open then.
  bool in_session = torn || engine.open_scopes != 0;
  if (torn) begin_with_new_tables();
  if (torn && self_block != &no_thread) label_thread(*self_block);
  if (!in_session) return;
  forget_scopes();
  end_session();
}

}  // namespace

void begin_session() noexcept {
  engine.sample_interval = Engine::kFirstSampleInterval;
  OwnAllocations own(*self_block);
  if (engine.session_hook != nullptr) engine.session_hook(true);
}

bool start_engine() noexcept {
  if (engine.started) return true;
  constexpr std::uint32_t kLeast = 1u << 10;
  bool ready = engine.tree.start() && start_lane(engine.main) &&
               engine.scopes.reserve(Engine::kMaxScopes, kLeast) &&
               engine.windows.reserve(Engine::kMaxWindows, kLeast) &&
               engine.infos.reserve(engine.main.account_pages.capacity(), kLeast, 832) &&
               engine.journal.reserve(Engine::kMaxJournal, kLeast) &&
               engine.giants.reserve(Engine::kMaxGiants, kLeast) &&
               engine.labels.reserve(Engine::kMaxThreadLabels, kLeast) &&
               engine.free_accounts.reserve(engine.infos.capacity(), kLeast) &&
               engine.waiting_accounts.reserve(engine.infos.capacity(), kLeast) &&
               engine.free_windows.reserve(engine.windows.capacity(), kLeast) &&
               engine.free_scopes.reserve(engine.scopes.capacity(), kLeast) &&
               engine.lane_pages.reserve(1u << 16, kLeast) && engine.window_index.start() &&
               engine.account_index.start();
  if (!ready) return false;
  // The first scopes must not depend on memory that the program may have used up by then.
  engine.pool.deallocate(engine.pool.allocate(sizeof(ScopeId)), sizeof(ScopeId));
  platform::at_fork(after_fork_in_child);
  engine.main.main = true;
  engine.started = true;
  return true;
}

}  // namespace malloc_tracer::capture
