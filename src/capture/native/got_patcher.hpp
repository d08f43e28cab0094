// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "capture/native/functions.hpp"

// Makes calls of hooked functions go through our stubs, by writing the slots of every loaded
// module, and the addresses by which the loader knows the functions, for modules to come. A module
// is looked at once; later looks only ask whether modules have come or gone.
//
// A slot is written only if it leads to the very function that `real` names, so that a module bound
// to an allocator of its own (a bundled one, RTLD_DEEPBIND) keeps it. Left alone are also: our own
// module, unless it is the program itself; an allocator that is not the C library's, whose inner
// calls are its own business; the mapping slots of whatever module defines malloc.
//
// Hook safe; state is guarded by the loader's lock, under which each_module calls us.
namespace malloc_tracer::capture::native {

struct FunctionName {
  const char* symbol;
  Group group;
};

// Finds the real functions in the order of the link map. `names` has kFunctionCount entries and
// lives on. False if there is no malloc.
bool find_real_functions(const FunctionName* names) noexcept;

// Has the loader take our stubs for the real functions in whatever it binds from now on: a new
// module's slots lead to them before its constructors run. Requires: the stubs lead somewhere.
void redirect_real_functions() noexcept;

// Patches modules not seen yet: those that were there before, or that the loader had begun to bind,
// and all of them where it cannot be told.
void patch_new_modules() noexcept;

// What is lost where the system does not let us write. Both only grow.
struct UnseenModules {
  std::uint64_t late;     // modules that came without the loader's leading them to us
  std::uint64_t refused;  // modules with a slot that still leads to the real function
};
UnseenModules unseen_modules() noexcept;

// In a forked child: the thread that was patching may not exist any more.
void patcher_after_fork() noexcept;

}  // namespace malloc_tracer::capture::native
