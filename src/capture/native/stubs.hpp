// SPDX-License-Identifier: MIT
#pragma once

// What patched slots point at: code that goes on to an entry of a table with all arguments and the
// return address as they came, whatever the function's signature. One file per architecture
// (stubs_x86_64.cpp, stubs_aarch64.cpp). Hook safe, thread safe.
namespace malloc_tracer::capture::native {

// Jumps to mt_native_active[index].
void* stub_of(int index) noexcept;

}  // namespace malloc_tracer::capture::native
