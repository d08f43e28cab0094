// SPDX-License-Identifier: MIT
// A library that allocates as it is loaded, and frees that as it is unloaded.
#include <cstdlib>

namespace {

struct Kept {
  Kept() : own(std::malloc(100)), other(new int) {}
  ~Kept() { std::free(own), delete other; }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  void* own;
  int* other;
} kept;

}  // namespace
