// SPDX-License-Identifier: MIT
// A library bound to an allocator of its own, as one loaded with RTLD_DEEPBIND or linked with
// -Bsymbolic.
#include <cstddef>

namespace {
alignas(16) char arena[1 << 16];
std::size_t used = 0;
}  // namespace

extern "C" {
void* malloc(std::size_t bytes) {
  void* p = arena + used;
  used += (bytes + 15) & ~std::size_t{15};
  return p;
}
void free(void*) {}

void* own_allocate(std::size_t bytes) { return malloc(bytes); }
bool own_is_in_arena(const void* p) {
  return static_cast<const char*>(p) >= arena && static_cast<const char*>(p) < arena + sizeof arena;
}
// Through a pointer in data, which is a slot too.
extern void* (*own_pointer)(std::size_t);
void* (*own_pointer)(std::size_t) = malloc;
void* own_allocate_through_pointer(std::size_t bytes) { return own_pointer(bytes); }
}
