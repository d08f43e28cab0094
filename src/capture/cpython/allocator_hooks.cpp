// SPDX-License-Identifier: MIT
#include "capture/cpython/allocator_hooks.hpp"

#include <cstring>
#include <type_traits>

#include "capture/cpython/block_bins.hpp"
#include "capture/cpython/python_frames.hpp"
#include "capture/events.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

enum Domain { kRaw, kMem, kObject };

constexpr Allocator kLabels[] = {Allocator::kPythonRaw, Allocator::kPythonMem,
                                 Allocator::kPythonObject};
constexpr PyMemAllocatorDomain kDomains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

PyMemAllocatorEx originals[3];

template <int kDomain>
using FramesOf = std::conditional_t<kDomain == kRaw, PythonFrames, AttachedFrames>;

BlockBins bins;
bool bins_on = false;

// From the real function. What that calls below it (RAW, malloc, pymalloc's own tables, a debug
// allocator's blocks) passes through, since thread.inside is 1 until the event is recorded: the
// outermost hook records.
template <int kDomain, class Allocate>
MT_INLINE void* fresh_block(std::size_t bytes, Allocate allocate) noexcept {
  self()->inside = 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  void* p = allocate(originals[kDomain]);
  if (MT_LIKELY(p != nullptr))
    return on_alloc<FramesOf<kDomain>>(*self(), p, bytes, kLabels[kDomain]);
  self()->inside = 0;
  return nullptr;
}
template <int kDomain>
MT_NOINLINE void* fresh_malloc(std::size_t bytes) noexcept {
  return fresh_block<kDomain>(bytes, [=](const PyMemAllocatorEx& original) {
    return original.malloc(original.ctx, bytes);
  });
}
template <int kDomain>
MT_NOINLINE void* fresh_calloc(std::size_t count, std::size_t size) noexcept {
  return fresh_block<kDomain>(count * size, [=](const PyMemAllocatorEx& original) {
    return original.calloc(original.ctx, count, size);
  });
}

// A kept block: nothing is called, and the thread is in from before it is taken out of its bin.
template <int kDomain>
MT_INLINE void* kept_block(Thread& thread, void* p, std::size_t bytes) noexcept {
  return on_alloc_inside<AttachedFrames, CurrentFrames>(thread, p, bytes, kLabels[kDomain]);
}

template <int kDomain>
void* hooked_malloc(void* context, std::size_t bytes) noexcept;
template <int kDomain>
void* hooked_calloc(void* context, std::size_t count, std::size_t size) noexcept;

// Below another hook, or a thread's first event.
template <int kDomain>
MT_COLD void* malloc_inside(void* context, std::size_t bytes) noexcept {
  if (self() == &no_thread && &here() != &no_thread) return hooked_malloc<kDomain>(context, bytes);
  pass_through(*self());
  return originals[kDomain].malloc(originals[kDomain].ctx, bytes);
}
template <int kDomain>
MT_COLD void* calloc_inside(void* context, std::size_t count, std::size_t size) noexcept {
  if (self() == &no_thread && &here() != &no_thread)
    return hooked_calloc<kDomain>(context, count, size);
  pass_through(*self());
  return originals[kDomain].calloc(originals[kDomain].ctx, count, size);
}

template <int kDomain>
void* hooked_malloc(void* context, std::size_t bytes) noexcept {
  Thread& thread = *self();
  if (MT_UNLIKELY(is_closed(thread))) return malloc_inside<kDomain>(context, bytes);
  if constexpr (kDomain != kRaw) {
    step_in(thread);
    if (void* kept = bins.pop(thread, bytes)) return kept_block<kDomain>(thread, kept, bytes);
    step_out(thread);
  }
  return fresh_malloc<kDomain>(bytes);
}

template <int kDomain>
void* hooked_calloc(void* context, std::size_t count, std::size_t size) noexcept {
  Thread& thread = *self();
  if (MT_UNLIKELY(is_closed(thread))) return calloc_inside<kDomain>(context, count, size);
  if constexpr (kDomain != kRaw) {
    step_in(thread);
    std::size_t bytes = 0;
    bool overflow = __builtin_mul_overflow(count, size, &bytes);
    if (void* kept = overflow ? nullptr : bins.pop(thread, bytes))
      return kept_block<kDomain>(thread, __builtin_memset(kept, 0, bytes), bytes);
    step_out(thread);
  }
  return fresh_calloc<kDomain>(count, size);
}

// A block that comes to pymalloc's sizes from more or from no bytes may stay where malloc put it:
// then it has no room up to the next 16 bytes, as a kept block must.
bool may_be_no_small_block(Cell old, std::size_t bytes) noexcept {
  return bins_on && bytes != 0 && bytes <= BlockBins::kLargest &&
         (old == 0 || !BlockBins::is_small(old));
}

void* as_small_block(const PyMemAllocatorEx& original, void* p, std::size_t bytes) noexcept {
  void* small = original.malloc(original.ctx, bytes);
  if (small == nullptr) return p;
  __builtin_memcpy(small, p, bytes);
  original.free(original.ctx, p);
  return small;
}

template <int kDomain>
void* hooked_realloc(void* context, void* old, std::size_t bytes) noexcept {
  if (old == nullptr) return hooked_malloc<kDomain>(context, bytes);
  const PyMemAllocatorEx& original = originals[kDomain];
  Thread& thread = here();
  if (MT_UNLIKELY(thread.inside != 0)) {
    pass_through(thread);
    return original.realloc(original.ctx, old, bytes);
  }
  Cell cell = take(old);
  thread.inside = 1;
  void* p = original.realloc(original.ctx, old, bytes);
  if (kDomain != kRaw && p != nullptr && may_be_no_small_block(cell, bytes))
    p = as_small_block(original, p, bytes);
  thread.inside = 0;
  if (p == nullptr) {
    put_back(old, cell);
  } else {
    on_realloc<FramesOf<kDomain>>(thread, old, cell, p, bytes, kLabels[kDomain]);
  }
  return p;
}

template <int kDomain>
MT_NOINLINE void free_long_way(void* p) noexcept {
  const PyMemAllocatorEx& original = originals[kDomain];
  Cell cell = take(p);
  on_free<FramesOf<kDomain>>(here(), p, cell);
  return original.free(original.ctx, p);
}

template <int kDomain>
void hooked_free(void*, void* p) noexcept {
  Thread& thread = *self();
  Cell cell;
  Freed how = freed<FramesOf<kDomain>>(thread, p, cell);
  if (MT_UNLIKELY(how == Freed::kNotYet)) return free_long_way<kDomain>(p);
  if (kDomain != kRaw && how == Freed::kDone && bins.push(p, cell)) return;
  return originals[kDomain].free(originals[kDomain].ctx, p);
}

template <int kDomain>
void install() noexcept {
  PyMemAllocatorEx ours = {originals[kDomain].ctx, hooked_malloc<kDomain>, hooked_calloc<kDomain>,
                           hooked_realloc<kDomain>, hooked_free<kDomain>};
  PyMem_SetAllocator(kDomains[kDomain], &ours);
}

PyMemAllocatorEx current(int domain) noexcept {
  PyMemAllocatorEx now;
  PyMem_GetAllocator(kDomains[domain], &now);
  return now;
}

// Another allocator is on top: is ours somewhere below it? A record that a free through the top
// takes away says yes.
template <int kDomain>
bool ours_is_below(const PyMemAllocatorEx& top) noexcept {
  void* probe = top.malloc(top.ctx, 1);
  Cell* cell = probe != nullptr ? page_map.make(address_of(probe)) : nullptr;
  if (cell == nullptr) return false;
  *cell = engine.generation;
  note_record(address_of(probe), *cell);
  top.free(top.ctx, probe);  // the thread stops the world: the record is taken but not counted
  bool taken = *cell == 0;
  *cell = 0;
  note_record(address_of(probe), 0);
  if (taken)
    engine.lost[static_cast<std::uint32_t>(Lost::kReentered)].fetch_sub(1,
                                                                        std::memory_order_relaxed);
  return taken;
}

template <int kDomain>
void start_domain() noexcept {
  PyMemAllocatorEx now = current(kDomain);
  if (now.free == hooked_free<kDomain> || ours_is_below<kDomain>(now)) return;
  originals[kDomain] = now;
  install<kDomain>();
}

// Someone may have stacked an allocator over ours: then ours stays below it, passing through.
template <int kDomain>
void stop_domain() noexcept {
  if (current(kDomain).free == hooked_free<kDomain>)
    PyMem_SetAllocator(kDomains[kDomain], &originals[kDomain]);
}

}  // namespace

void swap_allocators(bool recording) noexcept {
  bins.reset(0, [](void* block) { originals[kObject].free(originals[kObject].ctx, block); });
  if (!recording) {
    stop_domain<kRaw>();
    stop_domain<kMem>();
    stop_domain<kObject>();
    return;
  }
  const char* name = _PyMem_GetCurrentAllocatorName();
  bool over_pymalloc = name != nullptr && std::strcmp(name, "pymalloc") == 0;
  start_domain<kRaw>();
  start_domain<kMem>();
  start_domain<kObject>();
  bins_on = over_pymalloc;
  if (bins_on) bins.reset(BlockBins::kMostBlocks, [](void*) {});
}

}  // namespace malloc_tracer::capture::cpython
