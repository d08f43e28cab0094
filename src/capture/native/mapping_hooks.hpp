// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include "capture/native/functions.hpp"
#include "capture/native/mapping_events.hpp"
#include "platform/prim.hpp"

// Hooks of the mapping functions: anonymous mappings count, by byte range, file mappings do not.
// Failing calls are no events. Hook safe.
namespace malloc_tracer::capture::native {

template <class Frames>
struct MappingHooks {
  static void* mmap(void* wanted, std::size_t bytes, int protection, int flags, int file,
                    std::int64_t offset) {
    return map(real.mmap, wanted, bytes, protection, flags, file, offset);
  }
  static void* mmap64(void* wanted, std::size_t bytes, int protection, int flags, int file,
                      std::int64_t offset) {
    return map(real.mmap64, wanted, bytes, protection, flags, file, offset);
  }

  static int munmap(void* start, std::size_t bytes) {
    Thread& thread = here();
    if (is_inside(thread)) return real.munmap(start, bytes);
    Range gone = pages(start, bytes);
    Cut out;
    cut(thread, gone, out);
    int result = real.munmap(start, bytes);
    memory::danger(memory::Danger::kUnmapped);
    if (result == 0) {
      finish_unmap(thread, gone, out);
    } else {
      put_back(thread, out);
    }
    return result;
  }

  static void* mremap(void* old, std::size_t old_bytes, std::size_t bytes, int flags,
                      void* wanted) {
    Thread& thread = here();
    if (is_inside(thread)) return real.mremap(old, old_bytes, bytes, flags, wanted);
    Range before = pages(old, old_bytes);
    Cut out;
    cut(thread, before, out);
    bool known = out.count != 0;
    bool shrinks_part = known && !out.whole && bytes < old_bytes && (flags & MREMAP_FIXED) == 0;
    if (shrinks_part) {  // only the tail goes
      put_back(thread, out);
      before.begin = pages(old, bytes).end;
      cut(thread, before, out);
    }
    void* p = real.mremap(old, old_bytes, bytes, flags, wanted);
    if (p == MAP_FAILED) {
      put_back(thread, out);
      return p;
    }
    if (shrinks_part) {
      finish_unmap(thread, before, out);
    } else if (known && stays(flags)) {
      put_back(thread, out);
      add_mapping(thread, p, bytes);
    } else if (known) {
      move(thread, before, out, p, bytes);
    } else if (thread.window != kNoWindow && is_anonymous(thread, p)) {
      add_mapping(thread, p, bytes);  // from before the scope, or a duplicate: a new mapping
    } else {
      remove_mappings(thread, pages(p, bytes));
    }
    return p;
  }

 private:
  // An outer hook records, or this is the engine's own.
  static bool is_inside(const Thread& thread) noexcept {
    return thread.inside != 0 || thread.busy.load(std::memory_order_relaxed) != 0;
  }

  // The pages that a call for these bytes concerns.
  static Range pages(const void* start, std::size_t bytes) noexcept {
    std::uint64_t page = platform::page_bytes(), begin = address_of(start), end = begin + bytes;
    return Range{begin, (end + page - 1) & ~(page - 1)};
  }

  // The old mapping, of at least a byte, is still there when the call has made the new one.
  static bool stays([[maybe_unused]] int flags) noexcept {
#ifdef MREMAP_DONTUNMAP
    return (flags & MREMAP_DONTUNMAP) != 0;
#else
    return false;
#endif
  }

  static void cut(Thread& thread, Range range, Cut& out) noexcept {
    thread.inside++;
    mappings.cut(range, out);
    thread.inside--;
  }
  static void put_back(Thread& thread, const Cut& out) noexcept {
    thread.inside++;
    mappings.put_back(out);
    thread.inside--;
  }
  static void commit(Thread& thread, Cut& out) noexcept {
    thread.inside++;
    mappings.commit(out);
    thread.inside--;
  }
  static bool is_anonymous(Thread& thread, const void* p) noexcept {
    thread.inside++;
    bool anonymous = platform::is_anonymous(p);
    thread.inside--;
    return anonymous;
  }

  // The range is unmapped, and `out` holds the first pieces of it.
  static void finish_unmap(Thread& thread, Range gone, Cut& out) noexcept {
    for (;;) {
      commit(thread, out);
      on_unmap<Frames>(thread, out);
      if (!out.more) return;
      cut(thread, gone, out);
    }
  }
  // What was recorded in the range has been replaced by the system, or went unseen.
  static void remove_mappings(Thread& thread, Range gone) noexcept {
    Cut out;
    cut(thread, gone, out);
    if (out.count != 0) finish_unmap(thread, gone, out);
  }
  static void add_mapping(Thread& thread, void* p, std::size_t bytes) noexcept {
    remove_mappings(thread, pages(p, bytes));
    on_map<Frames>(thread, Range{address_of(p), address_of(p) + bytes});
  }
  static void move(Thread& thread, Range before, Cut& out, void* p, std::size_t bytes) noexcept {
    if (!out.whole) {
      finish_unmap(thread, before, out);
      return add_mapping(thread, p, bytes);
    }
    commit(thread, out);
    remove_mappings(thread, pages(p, bytes));
    on_remap<Frames>(thread, out, Range{address_of(p), address_of(p) + bytes});
  }

  template <class Real>
  static void* map(Real function, void* wanted, std::size_t bytes, int protection, int flags,
                   int file, std::int64_t offset) {
    void* p = function(wanted, bytes, protection, flags, file, offset);
    Thread& thread = here();
    if (p == MAP_FAILED || is_inside(thread)) return p;
    if ((flags & MAP_ANONYMOUS) != 0) {
      add_mapping(thread, p, bytes);
    } else {
      remove_mappings(thread, pages(p, bytes));
    }
    return p;
  }
};

}  // namespace malloc_tracer::capture::native
