// SPDX-License-Identifier: MIT
// A library that allocates as it is loaded, and frees as it is unloaded.
#include <stdlib.h>

#ifndef BLOCKS
#define BLOCKS 1000
#endif
static const volatile int blocks = BLOCKS;  // so that the loader finds the same to do without any
static void *kept[1000];
__attribute__((constructor)) static void begin(void) {
  for (int i = 0; i < blocks; i++) kept[i] = malloc(1000);
}
__attribute__((destructor)) static void end(void) {
  for (int i = 0; i < blocks; i++) free(kept[i]);
}
