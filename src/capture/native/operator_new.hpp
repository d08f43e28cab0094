// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>

#include "capture/thread.hpp"

// Calls the program's operator new with `thread.inside` set, so that the malloc below it does not
// count again, and clears it also when bad_alloc (or whatever a new_handler throws) passes through.
// The one place of the hook zone that is compiled with exceptions. What a new_handler allocates is
// not recorded; what it frees is. Hook safe.
namespace malloc_tracer::capture::native {

void* call_inside(Thread& thread, void* (*function)(std::size_t), std::size_t bytes);
void* call_inside(Thread& thread, void* (*function)(std::size_t, const std::nothrow_t&),
                  std::size_t bytes, const std::nothrow_t& nothrow);
void* call_inside(Thread& thread, void* (*function)(std::size_t, std::align_val_t),
                  std::size_t bytes, std::align_val_t alignment);
void* call_inside(Thread& thread,
                  void* (*function)(std::size_t, std::align_val_t, const std::nothrow_t&),
                  std::size_t bytes, std::align_val_t alignment, const std::nothrow_t& nothrow);

}  // namespace malloc_tracer::capture::native
