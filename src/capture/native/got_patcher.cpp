// SPDX-License-Identifier: MIT
#include "capture/native/got_patcher.hpp"

#include <atomic>
#include <cstring>

#include "capture/native/stubs.hpp"
#include "memory/relaxed.hpp"
#include "memory/reserved_array.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture::native {

namespace {

using platform::Module;

struct Seen {
  std::uintptr_t base;
  const void* dynamic;
};

// A slot that still led to the lazy resolver when we wrote it: a thread inside the resolver at that
// moment writes over it.
struct LazySlot {
  void** slot;
  int index;
};

struct Patcher {
  const FunctionName* names = nullptr;
  std::uintptr_t allocator_begin = 0;  // module that defines the program's malloc
  bool allocator_is_foreign = false;   // neither the C library nor the program
  std::uintptr_t program_begin = 0, program_end = 0;
  std::uint32_t first_bytes[kFunctionCount] = {};  // of each name, four; 0 without one
  std::uint64_t may_match[4] = {};                 // which hashes of them occur

  memory::ReservedArray<Seen>
      seen[2];  // in link map order; one is being rebuilt while the other is read
  std::uint32_t seen_count = 0;
  int current = 0;
  memory::ReservedArray<LazySlot> lazy;
  std::uint32_t lazy_count = 0;
  std::uint64_t loaded = 0, unloaded = 0;  // counts up to which everything is patched
  bool loader_is_told = false;
  memory::Relaxed<std::uint64_t> late{};     // modules that came with slots that led past us
  memory::Relaxed<std::uint64_t> refused{};  // modules whose slots still do
  std::atomic<bool> at_work{false};
};

constexpr std::uint32_t kMaxModules = 1u << 16, kMaxLazySlots = 1u << 16, kLeast = 256;

constinit Patcher patcher;

bool is_ours(const Module& module) noexcept {
  return module.contains(reinterpret_cast<std::uintptr_t>(&patch_new_modules));
}

bool is_skipped(const Module& module) noexcept {
  if (is_ours(module) && !module.first) return true;
  return patcher.allocator_is_foreign && module.begin == patcher.allocator_begin;
}

std::uint32_t first_bytes_of(const char* symbol) noexcept {
  std::uint32_t first = 0;
  std::memcpy(&first, symbol, sizeof first);
  return first;
}

std::uint32_t hash_of(std::uint32_t first_bytes) noexcept {
  return (first_bytes * 0x9E3779B1u) >> 24;
}

// The hooked function of that name, -1 if there is none. Large modules have 100,000 slots: most
// names end at the first test, and nearly all others at the second.
int index_of(const char* symbol) noexcept {
  if (std::strlen(symbol) < sizeof(std::uint32_t)) return -1;
  std::uint32_t first = first_bytes_of(symbol), hash = hash_of(first);
  if ((patcher.may_match[hash / 64] >> (hash % 64) & 1) == 0) return -1;
  for (int i = 0; i < kFunctionCount; i++) {
    if (patcher.first_bytes[i] == first && std::strcmp(patcher.names[i].symbol, symbol) == 0)
      return i;
  }
  return -1;
}

bool in_program(std::uintptr_t address) noexcept {
  return address - patcher.program_begin < patcher.program_end - patcher.program_begin;
}

// A slot not yet bound leads back into its own module's PLT, also in a module that has a function
// of that name (the C library calls realloc that way).
bool is_lazy(const Module& module, std::uintptr_t target, int index) noexcept {
  if (!module.contains(target)) return false;
  void* its_own = find_function(module, patcher.names[index].symbol);
  return target != reinterpret_cast<std::uintptr_t>(its_own);
}

// Where addresses of functions must be the same in all modules, the function's address is the
// program's own PLT entry.
bool is_program_entry(std::uintptr_t target, int index) noexcept {
  return in_program(target) && !in_program(reinterpret_cast<std::uintptr_t>(entries(real)[index]));
}

// The module's slots, as they were found.
struct Found {
  const Module& module;
  bool past_us = false, refused = false;
};

void patch_slot(Found& found, void** slot, int index) noexcept {
  const Module& module = found.module;
  void* target = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
  void* function = entries(real)[index];
  if (function == nullptr || target == stub_of(index)) return;
  bool allocator = module.begin == patcher.allocator_begin;
  if (allocator && patcher.names[index].group == Group::kMapping) return;
  auto address = reinterpret_cast<std::uintptr_t>(target);
  bool lazy = target != function && is_lazy(module, address, index);
  if (target != function && !lazy && !is_program_entry(address, index)) return;
  bool past_us = target == function;
  bool written = platform::write_slot(module, slot, stub_of(index));
  found.past_us |= past_us;
  found.refused |= past_us && !written;
  if (lazy && written && patcher.lazy_count < patcher.lazy.capacity())
    patcher.lazy[patcher.lazy_count++] = LazySlot{slot, index};
}

Found patch(const Module& module) noexcept {
  Found found{module};
  if (is_skipped(module)) return found;
  platform::each_slot(
      module,
      [](void** slot, const char* symbol, void* cookie) {
        int index = index_of(symbol);
        if (index >= 0) patch_slot(*static_cast<Found*>(cookie), slot, index);
      },
      &found);
  return found;
}

// One way through the link map.
struct Scan {
  bool all;  // patch modules seen before, too
  bool begun = false;
  bool refused = false;
  std::uint32_t cursor = 0;  // in the old list
  std::uint32_t count = 0;   // of the new list
  std::uint32_t fresh = 0, unfinished = 0;
  std::uint64_t loaded = 0, unloaded = 0;
};

// Modules keep their order, so a module seen before is found at the cursor or, where others have
// gone, behind it.
bool was_seen(Scan& scan, const Module& module) noexcept {
  for (std::uint32_t i = scan.cursor; i < patcher.seen_count; i++) {
    const Seen& seen = patcher.seen[patcher.current][i];
    if (seen.base != module.base || seen.dynamic != module.dynamic) continue;
    scan.cursor = i + 1;
    return true;
  }
  return false;
}

bool scan_module(const Module& module, void* cookie) noexcept {
  auto& scan = *static_cast<Scan*>(cookie);
  if (!scan.begun) {
    scan.refused = patcher.at_work.exchange(true, std::memory_order_acquire);
    if (scan.refused) return false;
    scan.begun = true;
    scan.loaded = module.loaded_count;
    scan.unloaded = module.unloaded_count;
  }
  bool old = was_seen(scan, module);
  // Also where the place is known: another module may be moving in. Its slots will be final later.
  if (!platform::is_loaded_fully(module)) {
    scan.unfinished++;
    return true;
  }
  if (!old) scan.fresh++;
  if (!old || scan.all) {
    Found found = patch(module);
    if (found.refused) patcher.refused += 1;
    if (found.past_us && patcher.loaded != 0) patcher.late += 1;
  }
  const auto& list = patcher.seen[1 - patcher.current];
  if (scan.count < list.capacity()) list[scan.count++] = Seen{module.base, module.dynamic};
  return true;
}

// The new list becomes the list. True if a module seen before may be another one by now: it went,
// and its place was taken.
bool finish(const Scan& scan) noexcept {
  bool first = patcher.loaded == 0;
  bool reused = !first && scan.fresh + scan.unfinished != scan.loaded - patcher.loaded;
  patcher.current = 1 - patcher.current;
  patcher.seen_count = scan.count;
  patcher.loaded = scan.loaded - scan.unfinished;
  patcher.unloaded = scan.unloaded;
  patcher.at_work.store(false, std::memory_order_release);
  return reused && !scan.all;
}

// False if another thread is patching.
bool scan_modules(bool all) noexcept {
  Scan scan{.all = all};
  platform::each_module(scan_module, &scan);
  if (!scan.begun) return !scan.refused;
  return !finish(scan) || scan_modules(true);
}

bool check_lazy_slots(const Module& module, void*) noexcept {
  if (patcher.at_work.exchange(true, std::memory_order_acquire)) return false;
  // Where a module has gone, its slots may have gone with it.
  if (module.unloaded_count == patcher.unloaded) {
    for (std::uint32_t i = 0; i < patcher.lazy_count; i++) {
      const LazySlot& lazy = patcher.lazy[i];
      __atomic_store_n(lazy.slot, stub_of(lazy.index), __ATOMIC_RELEASE);
    }
  }
  patcher.lazy_count = 0;
  patcher.at_work.store(false, std::memory_order_release);
  return false;
}

bool find_in_module(const Module& module, void*) noexcept {
  if (module.first) {
    patcher.program_begin = module.begin;
    patcher.program_end = module.end;
  } else if (is_ours(module)) {
    return true;
  }
  for (int i = 0; i < kFunctionCount; i++) {
    void*& function = entries(real)[i];
    if (function != nullptr || patcher.names[i].symbol == nullptr) continue;
    function = platform::find_function(module, patcher.names[i].symbol);
    if (function == nullptr || i != 0) continue;
    patcher.allocator_begin = module.begin;
    patcher.allocator_is_foreign =
        !module.first && platform::find_function(module, "__libc_start_main") == nullptr;
  }
  return true;
}

bool redirect_in_module(const Module& module, void*) noexcept {
  platform::Redirection redirections[kFunctionCount];
  std::size_t count = 0;
  for (int i = 0; i < kFunctionCount; i++) {
    void* function = entries(real)[i];
    if (module.contains(reinterpret_cast<std::uintptr_t>(function)))
      redirections[count++] = {patcher.names[i].symbol, function, stub_of(i)};
  }
  if (count != 0 && !platform::redirect(module, {redirections, count}))
    patcher.loader_is_told = false;
  return true;
}

}  // namespace

bool find_real_functions(const FunctionName* names) noexcept {
  static_assert(offsetof(Functions, malloc) == 0);
  patcher.names = names;
  for (int i = 0; i < kFunctionCount; i++) {
    if (names[i].symbol == nullptr) continue;
    std::uint32_t first = first_bytes_of(names[i].symbol), hash = hash_of(first);
    patcher.first_bytes[i] = first;
    patcher.may_match[hash / 64] |= std::uint64_t{1} << (hash % 64);
  }
  platform::each_module(find_in_module, nullptr);
  return real.malloc != nullptr && real.free != nullptr &&
         patcher.seen[0].reserve(kMaxModules, kLeast) &&
         patcher.seen[1].reserve(kMaxModules, kLeast) &&
         patcher.lazy.reserve(kMaxLazySlots, kLeast);
}

void redirect_real_functions() noexcept {
  patcher.loader_is_told = true;
  platform::each_module(redirect_in_module, nullptr);
}

UnseenModules unseen_modules() noexcept {
  // Where it is not told, also those that have gone again count.
  std::uint64_t late = patcher.late;
  return {patcher.loader_is_told ? late : platform::module_counts().loaded, patcher.refused};
}

void patcher_after_fork() noexcept { patcher.at_work.store(false, std::memory_order_relaxed); }

void patch_new_modules() noexcept {
  if (patcher.lazy_count != 0) platform::each_module(check_lazy_slots, nullptr);
  for (;;) {
    platform::ModuleCounts counts = platform::module_counts();
    if (counts.loaded == patcher.loaded && counts.unloaded == patcher.unloaded) return;
    if (scan_modules(false)) return;
    platform::yield();  // another thread has looked, and is about to write down what it saw
  }
}

}  // namespace malloc_tracer::capture::native
