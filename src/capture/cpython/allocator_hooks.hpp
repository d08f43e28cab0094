// SPDX-License-Identifier: MIT
#pragma once

// CPython's three allocator domains. The tables are swapped when the first scope opens and put back
// when the last one closes, so with no scope open there is nothing of ours in the way. The struct
// is replaced non-atomically and RAW is called without the GIL (CPython gh-128679): our functions
// ignore the context and are installed with the original's, so that any torn mix is valid.
namespace malloc_tracer::capture::cpython {

// Requires the GIL.
void swap_allocators(bool recording) noexcept;

}  // namespace malloc_tracer::capture::cpython
