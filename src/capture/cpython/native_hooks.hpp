// SPDX-License-Identifier: MIT
#pragma once

// The native hooks as Python programs need them: with Python's frames, and with
// PyTraceMalloc_Track, by which numpy tells of blocks from its cache. Requires the GIL.
namespace malloc_tracer::capture::cpython {

bool install_native() noexcept;
void record_native(bool recording) noexcept;
// Hooks what was loaded since; before a scope opens, not with the world stopped.
void see_new_modules() noexcept;

}  // namespace malloc_tracer::capture::cpython
