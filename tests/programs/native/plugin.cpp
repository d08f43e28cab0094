// SPDX-License-Identifier: MIT
// A library loaded at run time.
#include <cstdlib>

extern "C" {
void* plugin_allocate(std::size_t bytes) { return std::malloc(bytes); }
void plugin_free(void* p) { std::free(p); }
int* plugin_new() { return new int; }
}
