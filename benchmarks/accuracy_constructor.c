// SPDX-License-Identifier: MIT
// A library that allocates as it is loaded, and frees as it is unloaded.
#include <stdlib.h>

static void *kept[1000];
__attribute__((constructor)) static void begin(void) {
  for (int i = 0; i < 1000; i++) kept[i] = malloc(1000);
}
__attribute__((destructor)) static void end(void) {
  for (int i = 0; i < 1000; i++) free(kept[i]);
}
