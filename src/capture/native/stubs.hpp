// SPDX-License-Identifier: MIT
#pragma once

// What patched slots point at: code that goes on to an entry of a table with all arguments and the
// return address as they came, whatever the function's signature. That the caller's return address
// stays matters for dlopen: the loader finds the caller's RUNPATH by it. One file per architecture
// (stubs_x86_64.cpp, stubs_aarch64.cpp). Hook safe, thread safe.
namespace malloc_tracer::capture::native {

// Jumps to mt_native_active[index].
void* stub_of(int index) noexcept;
// Calls mt_native_look(), then jumps to mt_native_recording[index].
void* look_stub_of(int index) noexcept;

extern "C" {
// Calls mt_native_note_dlopen(), then jumps to the real dlopen. The hook of dlopen.
void* mt_native_dlopen(const char* file, int mode) __attribute__((visibility("hidden")));

// Called by the stubs, with errno to be kept.
void mt_native_look() noexcept __attribute__((visibility("hidden")));
void mt_native_note_dlopen() noexcept __attribute__((visibility("hidden")));
}

}  // namespace malloc_tracer::capture::native
