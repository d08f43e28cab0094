// SPDX-License-Identifier: MIT
#include "capture/cpython/native_hooks.hpp"

#include <cstddef>
#include <cstdint>

#include "capture/cpython/python_frames.hpp"
#include "capture/events.hpp"
#include "capture/native/native_hooks.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

int (*original_track)(unsigned int, std::uintptr_t, std::size_t) = nullptr;
int (*original_untrack)(unsigned int, std::uintptr_t) = nullptr;

bool is_known(std::uintptr_t address) noexcept {
  const Cell* cell = page_map.find(address);
  return cell != nullptr && *cell >= engine.generation;
}

// numpy takes small arrays' data from a cache of its own and tells tracemalloc of it: a block we do
// not know is an allocation, ...
int track(unsigned int domain, std::uintptr_t address, std::size_t bytes) {
  Thread& thread = here();
  if (!is_closed(thread) && !is_known(address)) {
    thread.inside = 1;
    on_alloc<PythonFrames>(thread, reinterpret_cast<void*>(address), bytes, Allocator::kTracked);
  }
  return original_track(domain, address, bytes);
}

// tracemalloc's own domain: numpy 2.5 takes a block that PyMem_RawMalloc just gave it out of there,
// to track it in its own.
constexpr unsigned int kPythonsDomain = 0;

bool only_changes_domain(unsigned int domain, std::uintptr_t address) noexcept {
  const Cell* cell = page_map.find(address);
  return domain == kPythonsDomain && cell != nullptr && *cell >= engine.generation &&
         allocator_of_block(*cell) != Allocator::kTracked;
}

// ... and one that goes back to the cache is freed; its real free, if ever, finds nothing.
int untrack(unsigned int domain, std::uintptr_t address) {
  auto* p = reinterpret_cast<void*>(address);
  if (!only_changes_domain(domain, address)) {
    if (Cell cell = take(p)) on_free<PythonFrames>(here(), p, cell);
  }
  return original_untrack(domain, address);
}

}  // namespace

bool install_native() noexcept {
  static const native::ExtraFunction extra[] = {
      {"PyTraceMalloc_Track", reinterpret_cast<void*>(track),
       reinterpret_cast<void**>(&original_track)},
      {"PyTraceMalloc_Untrack", reinterpret_cast<void*>(untrack),
       reinterpret_cast<void**>(&original_untrack)},
  };
  return native::install_native_hooks<PythonFrames>(extra);
}

void record_native(bool recording) noexcept { native::set_native_recording(recording); }

void see_new_modules() noexcept { native::rescan_modules(); }

}  // namespace malloc_tracer::capture::cpython
