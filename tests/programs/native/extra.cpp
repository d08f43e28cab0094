// SPDX-License-Identifier: MIT
// A function that somebody else than the engine's native layer wants to see.
extern "C" {
int extra_function(unsigned domain, unsigned long address, unsigned long bytes);
int extra_function(unsigned domain, unsigned long address, unsigned long bytes) {
  return static_cast<int>(domain + address + bytes);
}
}
