// SPDX-License-Identifier: MIT
#pragma once

// The interpreter's free lists hide allocations: 20 floats made after warm-up are one allocator
// call, and a reused block keeps the line of its first owner. They are drained when recording
// starts and stay off while it lasts. One sibling file per CPython family.
//
// A full garbage collection turns some lists on again (up to 3.13): see collector_watch.hpp.
// Requires the GIL for all.
namespace malloc_tracer::capture::cpython {

// Once, before the first scope, not from a hook: may run a line of Python.
void learn_free_lists() noexcept;
void disable_free_lists() noexcept;
void enable_free_lists() noexcept;

}  // namespace malloc_tracer::capture::cpython
