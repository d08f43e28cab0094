// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "capture/native/functions.hpp"
#include "capture/native/malloc_hooks.hpp"

// Switching the native hooks. Install once, with the engine started, before the first scope; every
// session flips one table. Not hook safe, any thread.
namespace malloc_tracer::capture::native {

// A function of another layer: found by its symbol in every module, `*original` is the program's
// own, `hook` stands in for it while recording.
struct ExtraFunction {
  const char* symbol;
  void* hook;
  void** original;
};

// False if the program's malloc cannot be found or memory is short; then nothing is hooked.
bool install_hooks(const Functions& hooks, std::span<const ExtraFunction> extra) noexcept;

template <class Frames>
bool install_native_hooks(std::span<const ExtraFunction> extra = {}) noexcept {
  return install_hooks(MallocHooks<Frames>::table(), extra);
}

// Hooks on before the first scope, off after the last. Requires: one at a time (the world lock).
void set_native_recording(bool on) noexcept;

// Patches what has been loaded meanwhile, and counts as lost what could not be: to be called before
// a scope opens and before its snapshot, *without* the world lock (a thread that holds the loader's
// lock may be waiting for the world).
void rescan_modules() noexcept;

}  // namespace malloc_tracer::capture::native
