// SPDX-License-Identifier: MIT
#include "capture/cpython/allocator_hooks.hpp"

#include <type_traits>
#include <utility>

#include "capture/cpython/python_frames.hpp"
#include "capture/events.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

enum Domain { kRaw, kMem, kObject };

constexpr Allocator kLabels[] = {Allocator::kPythonRaw, Allocator::kPythonMem, Allocator::kPythonObject};
constexpr PyMemAllocatorDomain kDomains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

PyMemAllocatorEx originals[3];
bool probing = false;  // looking for our own hooks: records are not blocks

template <int kDomain>
using FramesOf = std::conditional_t<kDomain == kRaw, PythonFrames, AttachedFrames>;

// The outermost hook records; what the real function calls below it (RAW, malloc, pymalloc's own tables, a debug allocator's
// blocks) passes through.
class Inside {
 public:
  MT_INLINE explicit Inside(Thread& thread) noexcept : thread_(thread) {
    thread.inside = 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  MT_INLINE ~Inside() { thread_.inside = 0; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Thread& thread_;
};

template <int kDomain>
void* hooked_malloc(void*, std::size_t bytes) noexcept {
  const PyMemAllocatorEx& original = originals[kDomain];
  Thread& thread = here();
  if (MT_UNLIKELY(thread.inside != 0)) return original.malloc(original.ctx, bytes);
  void* p;
  {
    Inside inside(thread);
    p = original.malloc(original.ctx, bytes);
  }
  if (MT_UNLIKELY(p == nullptr)) return p;
  return on_alloc<FramesOf<kDomain>>(here(), p, bytes, kLabels[kDomain]);
}

template <int kDomain>
void* hooked_calloc(void*, std::size_t count, std::size_t size) noexcept {
  const PyMemAllocatorEx& original = originals[kDomain];
  Thread& thread = here();
  if (MT_UNLIKELY(thread.inside != 0)) return original.calloc(original.ctx, count, size);
  void* p;
  {
    Inside inside(thread);
    p = original.calloc(original.ctx, count, size);
  }
  if (MT_UNLIKELY(p == nullptr)) return p;
  return on_alloc<FramesOf<kDomain>>(here(), p, count * size, kLabels[kDomain]);
}

template <int kDomain>
void* hooked_realloc(void* context, void* old, std::size_t bytes) noexcept {
  if (old == nullptr) return hooked_malloc<kDomain>(context, bytes);
  const PyMemAllocatorEx& original = originals[kDomain];
  Thread& thread = here();
  if (MT_UNLIKELY(thread.inside != 0)) return original.realloc(original.ctx, old, bytes);
  Cell cell = take(old);
  void* p;
  {
    Inside inside(thread);
    p = original.realloc(original.ctx, old, bytes);
  }
  if (p == nullptr) {
    put_back(old, cell);
  } else {
    on_realloc<FramesOf<kDomain>>(thread, old, cell, p, bytes, kLabels[kDomain]);
  }
  return p;
}

template <int kDomain>
void hooked_free(void*, void* p) noexcept {
  const PyMemAllocatorEx& original = originals[kDomain];
  if (p != nullptr) {
    Cell cell = take(p);
    on_free<FramesOf<kDomain>>(here(), p, MT_LIKELY(!probing) ? cell : 0);
  }
  return original.free(original.ctx, p);
}

template <int kDomain>
void install() noexcept {
  PyMemAllocatorEx ours = {originals[kDomain].ctx, hooked_malloc<kDomain>, hooked_calloc<kDomain>, hooked_realloc<kDomain>,
                           hooked_free<kDomain>};
  PyMem_SetAllocator(kDomains[kDomain], &ours);
}

PyMemAllocatorEx current(int domain) noexcept {
  PyMemAllocatorEx now;
  PyMem_GetAllocator(kDomains[domain], &now);
  return now;
}

// Another allocator is on top: is ours somewhere below it? A record that a free through the top takes away says yes.
template <int kDomain>
bool ours_is_below(const PyMemAllocatorEx& top) noexcept {
  void* probe = top.malloc(top.ctx, 1);
  if (probe == nullptr) return false;
  Cell* cell = page_map.make(address_of(probe));
  if (cell != nullptr) *cell = ~Cell{0};
  Thread& thread = here();
  WindowId window = std::exchange(thread.window, kNoWindow);
  probing = true;
  top.free(top.ctx, probe);
  probing = false;
  thread.window = window;
  bool taken = cell != nullptr && *cell == 0;
  if (cell != nullptr) *cell = 0;
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
  if (current(kDomain).free == hooked_free<kDomain>) PyMem_SetAllocator(kDomains[kDomain], &originals[kDomain]);
}

}  // namespace

void swap_allocators(bool recording) noexcept {
  if (!recording) {
    stop_domain<kRaw>();
    stop_domain<kMem>();
    stop_domain<kObject>();
    return;
  }
  start_domain<kRaw>();
  start_domain<kMem>();
  start_domain<kObject>();
}

}  // namespace malloc_tracer::capture::cpython
