// SPDX-License-Identifier: MIT
// Loads a library that only its own RUNPATH leads to.
#include <dlfcn.h>

extern "C" {
extern void* volatile caller_opened;
void* volatile caller_opened;  // a use of the result: dlopen must not become a tail call, or it has
                               // another caller

void* caller_open(const char* name) {
  caller_opened = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  return caller_opened;
}
}
