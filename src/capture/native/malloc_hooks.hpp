// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstddef>
#include <new>

#include "capture/events.hpp"
#include "capture/native/functions.hpp"
#include "capture/native/mapping_hooks.hpp"
#include "capture/native/operator_new.hpp"
#include "capture/world.hpp"

// The hooks that stand in `mt_native_recording` while a scope is open, one for each line of
// hooked_functions.def. THE HOOK ZONE: see the header of capture/events.hpp.
//
// `thread.inside`: an outer hook (of operator new, of a Python allocator) records, so an allocation
// passes; frees always look for their record, which the outer hook has taken out already if it was
// its block. The C library's malloc, calloc, realloc and free call no hooked function, so they are
// called without it.
namespace malloc_tracer::capture::native {

template <class Frames>
struct MallocHooks : MappingHooks<Frames> {
  static void* malloc(std::size_t bytes) {
    void* p = real.malloc(bytes);
    if (MT_LIKELY(p != nullptr)) record(p, bytes);
    return p;
  }

  static void* calloc(std::size_t count, std::size_t size) {
    void* p = real.calloc(count, size);
    if (MT_LIKELY(p != nullptr)) record(p, count * size);
    return p;
  }

  static void free(void* p) {
    forget(p);
    memory::danger(memory::Danger::kFreeing);
    real.free(p);
  }

  static void* realloc(void* old, std::size_t bytes) {
    Thread& thread = here();
    if (MT_UNLIKELY(thread.inside != 0)) {
      pass_through(thread);
      return real.realloc(old, bytes);
    }
    Cell cell = old != nullptr ? take(old) : 0;
    return moved(thread, old, cell, real.realloc(old, bytes), bytes);
  }

  static void* reallocarray(void* old, std::size_t count, std::size_t size) {
    Thread& thread = here();
    std::size_t bytes = 0;
    bool overflow = __builtin_mul_overflow(count, size, &bytes);
    if (MT_UNLIKELY(thread.inside != 0 || overflow)) {
      pass_through(thread);
      return real.reallocarray(old, count, size);
    }
    Cell cell = old != nullptr ? take(old) : 0;
    thread.inside++;  // the C library's calls realloc
    void* p = real.reallocarray(old, count, size);
    thread.inside--;
    return moved(thread, old, cell, p, bytes);
  }

  static int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
    Thread& thread = here();
    thread.inside++;
    int error = real.posix_memalign(out, alignment, bytes);
    thread.inside--;
    if (error == 0 && *out != nullptr) record(*out, bytes);
    return error;
  }

  static void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return recorded<&Functions::aligned_alloc>(bytes, alignment, bytes);
  }
  static void* memalign(std::size_t alignment, std::size_t bytes) {
    return recorded<&Functions::memalign>(bytes, alignment, bytes);
  }
  static void* valloc(std::size_t bytes) { return recorded<&Functions::valloc>(bytes, bytes); }
  static void* pvalloc(std::size_t bytes) { return recorded<&Functions::pvalloc>(bytes, bytes); }

 private:
  // Allocates through one of the forms that other allocators may build upon each other.
  template <auto kReal, class... Arguments>
  static void* recorded(std::size_t bytes, Arguments... arguments) {
    Thread& thread = here();
    thread.inside++;
    void* p = (real.*kReal)(arguments...);
    thread.inside--;
    if (p != nullptr) record(p, bytes);
    return p;
  }

  template <auto kReal, class... More>
  static void released(void* p, More... more) {
    forget(p);
    (real.*kReal)(p, more...);
  }

  template <auto kReal, class... More>
  static void* created(std::size_t bytes, More... more) {
    Thread& thread = here();
    if (is_closed(thread)) return (real.*kReal)(bytes, more...);
    void* p = call_inside(thread, real.*kReal, bytes, more...);
    if (MT_UNLIKELY(p == nullptr)) return p;
    thread.inside = 1;
    on_alloc<Frames>(thread, p, bytes, Allocator::kNew);
    return p;
  }

  MT_INLINE static void record(void* p, std::size_t bytes) noexcept {
    Thread& thread = here();
    if (MT_UNLIKELY(is_closed(thread))) return pass_through(thread);
    thread.inside = 1;
    on_alloc<Frames>(thread, p, bytes, Allocator::kMalloc);
  }

  MT_NOINLINE static void forget_long_way(void* p) noexcept {
    Cell cell = take(p);
    if (cell == 0 && self() == &no_thread) return;  // no reason to know the thread
    on_free<Frames>(here(), p, cell);
  }
  MT_INLINE static void forget(void* p) noexcept {
    Cell cell;
    if (MT_UNLIKELY(freed<Frames>(*self(), p, cell) == Freed::kNotYet)) forget_long_way(p);
  }

  // A reallocation has given `p`.
  MT_INLINE static void* moved(Thread& thread, void* old, Cell cell, void* p,
                               std::size_t bytes) noexcept {
    if (MT_LIKELY(p != nullptr)) {
      on_realloc<Frames>(thread, old, cell, p, bytes, Allocator::kMalloc);
    } else if (bytes == 0 && old != nullptr) {
      on_free<Frames>(thread, old, cell);
    } else {
      put_back(old, cell);
    }
    return p;
  }

 public:
  static constexpr auto cfree = &released<&Functions::cfree>;
  static constexpr auto free_sized = &released<&Functions::free_sized, std::size_t>;
  static constexpr auto free_aligned_sized =
      &released<&Functions::free_aligned_sized, std::size_t, std::size_t>;

  static constexpr auto new_ = &created<&Functions::new_>;
  static constexpr auto new_array = &created<&Functions::new_array>;
  static constexpr auto new_nothrow = &created<&Functions::new_nothrow, const std::nothrow_t&>;
  static constexpr auto new_array_nothrow =
      &created<&Functions::new_array_nothrow, const std::nothrow_t&>;
  static constexpr auto new_aligned = &created<&Functions::new_aligned, std::align_val_t>;
  static constexpr auto new_array_aligned =
      &created<&Functions::new_array_aligned, std::align_val_t>;
  static constexpr auto new_aligned_nothrow =
      &created<&Functions::new_aligned_nothrow, std::align_val_t, const std::nothrow_t&>;
  static constexpr auto new_array_aligned_nothrow =
      &created<&Functions::new_array_aligned_nothrow, std::align_val_t, const std::nothrow_t&>;

  static constexpr auto delete_ = &released<&Functions::delete_>;
  static constexpr auto delete_array = &released<&Functions::delete_array>;
  static constexpr auto delete_sized = &released<&Functions::delete_sized, std::size_t>;
  static constexpr auto delete_array_sized = &released<&Functions::delete_array_sized, std::size_t>;
  static constexpr auto delete_nothrow =
      &released<&Functions::delete_nothrow, const std::nothrow_t&>;
  static constexpr auto delete_array_nothrow =
      &released<&Functions::delete_array_nothrow, const std::nothrow_t&>;
  static constexpr auto delete_aligned = &released<&Functions::delete_aligned, std::align_val_t>;
  static constexpr auto delete_array_aligned =
      &released<&Functions::delete_array_aligned, std::align_val_t>;
  static constexpr auto delete_sized_aligned =
      &released<&Functions::delete_sized_aligned, std::size_t, std::align_val_t>;
  static constexpr auto delete_array_sized_aligned =
      &released<&Functions::delete_array_sized_aligned, std::size_t, std::align_val_t>;
  static constexpr auto delete_aligned_nothrow =
      &released<&Functions::delete_aligned_nothrow, std::align_val_t, const std::nothrow_t&>;
  static constexpr auto delete_array_aligned_nothrow =
      &released<&Functions::delete_array_aligned_nothrow, std::align_val_t, const std::nothrow_t&>;

  // All of them as a table.
  static Functions table() noexcept {
    Functions functions{};
#define MT_HOOKED(group, name, symbol, result, ...) functions.name = MallocHooks::name;
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    return functions;
  }
};

}  // namespace malloc_tracer::capture::native
