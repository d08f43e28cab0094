// SPDX-License-Identifier: MIT
// Known allocations for the Python tests: each function is called once from one Python line. Compiled with -fno-builtin, so that
// every call written here is made.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MOST 20000
static void *kept[MOST];
static int kept_count;

static void keep(void *p) {
  if (p == NULL || kept_count == MOST) abort();
  kept[kept_count++] = p;
}

void nothing(int count, long bytes) {
  (void)count;
  (void)bytes;
}
void free_all(int count, long bytes) {
  (void)count;
  (void)bytes;
  while (kept_count > 0) free(kept[--kept_count]);
}

#define KEEPS(name, call) \
  void name(int count, long bytes) { \
    for (int i = 0; i < count; i++) keep(call); \
  }
static void *with_posix_memalign(size_t bytes) {
  void *p = NULL;
  return posix_memalign(&p, 64, bytes) == 0 ? p : NULL;
}
KEEPS(keep_malloc, malloc(bytes))
KEEPS(keep_calloc, calloc(bytes / 10, 10))
KEEPS(keep_realloc, realloc(NULL, bytes))
KEEPS(keep_reallocarray, reallocarray(NULL, bytes / 10, 10))
KEEPS(keep_posix_memalign, with_posix_memalign(bytes))
KEEPS(keep_aligned_alloc, aligned_alloc(64, bytes))
KEEPS(keep_memalign, memalign(32, bytes))
KEEPS(keep_valloc, valloc(bytes))
KEEPS(keep_pvalloc, pvalloc(bytes))

void churn_malloc(int count, long bytes) {
  for (int i = 0; i < count; i++) free(malloc(bytes));
}
// Every second block outlives one other event, so only the inner ones are temporary.
void nest_malloc(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    void *outer = malloc(bytes);
    void *inner = malloc(bytes);
    free(inner);
    free(outer);
  }
}
void resize_all(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    void *p = realloc(kept[i], bytes);
    if (p == NULL) abort();
    kept[i] = p;
  }
}
void resize_all_by_array(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    void *p = reallocarray(kept[i], bytes / 10, 10);
    if (p == NULL) abort();
    kept[i] = p;
  }
}
void resize_all_to_nothing(int count, long bytes) {
  (void)bytes;
  if (count != kept_count) abort();
  while (kept_count > 0) {
    if (realloc(kept[--kept_count], 0) != NULL) abort();
  }
}
// No memory for any of these; the one block there is stays.
void fail_everything(int count, long bytes) {
  void *p = NULL;
  size_t huge = SIZE_MAX / 4, many = SIZE_MAX / 4;
  (void)bytes;
  for (int i = 0; i < count; i++) {
    int worked = malloc(SIZE_MAX / 2) != NULL;
    worked += calloc(many, 16) != NULL;
    worked += realloc(kept[0], SIZE_MAX / 2) != NULL;
    worked += reallocarray(kept[0], many, 16) != NULL;
    worked += posix_memalign(&p, 3, 100) == 0;
    worked += posix_memalign(&p, 64, SIZE_MAX / 2) == 0;
    worked += aligned_alloc(64, SIZE_MAX / 2) != NULL;
    worked += memalign(64, huge * 2) != NULL;
    if (worked != 0) abort();
  }
}
// Grows all, shrinks all, frees all; the peak is in the middle.
void mountain(int count, long bytes) {
  keep_malloc(count, bytes);
  keep_malloc(count, 2 * bytes);
  free_all(0, 0);
  keep_malloc(count, bytes);
}

void keep_strdup(int count, long bytes) {
  static char text[4096];
  memset(text, 'x', bytes - 1);
  text[bytes - 1] = 0;
  for (int i = 0; i < count; i++) keep(strdup(text));
}
// One line of 60 characters: the C library makes a buffer of 120 bytes for each.
static FILE *lines;
static char lines_buffer[4096];
void open_lines(int count, long bytes) {
  lines = tmpfile();
  if (lines == NULL) abort();
  setvbuf(lines, lines_buffer, _IOFBF, sizeof lines_buffer);
  for (int i = 0; i < count; i++) fprintf(lines, "%0*d\n", (int)bytes - 1, i);
  rewind(lines);
}
void keep_getline(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, lines) != bytes) abort();
    keep(line);
  }
}
void close_lines(int count, long bytes) {
  (void)count;
  (void)bytes;
  fclose(lines);
}

static void *map(long bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}
static long map_bytes;
KEEPS(keep_mappings, (map_bytes = bytes, map(bytes)))
void unmap_all(int count, long bytes) {
  (void)count;
  (void)bytes;
  while (kept_count > 0) munmap(kept[--kept_count], map_bytes);
}

// Threads that Python has never heard of. They work between start_threads and join_threads; `go` lets them all begin at once.
struct work {
  int count;
  long bytes;
  int release;
};
static pthread_t threads[64];
static int thread_count;
static struct work work;
static pthread_barrier_t go;

static void *worker(void *unused) {
  (void)unused;
  void **mine = kept + (__sync_fetch_and_add(&kept_count, work.count));
  pthread_barrier_wait(&go);
  for (int i = 0; i < work.count; i++) {
    mine[i] = with_posix_memalign(work.bytes);
    if (mine[i] == NULL) abort();
  }
  if (work.release) {
    for (int i = 0; i < work.count; i++) free(mine[i]);
  }
  return NULL;
}
void start_threads(int count, int each, long bytes, int release) {
  work = (struct work){each, bytes, release};
  thread_count = count;
  kept_count = 0;
  pthread_barrier_init(&go, NULL, count + 1);
  for (int i = 0; i < count; i++) {
    if (pthread_create(&threads[i], NULL, worker, NULL) != 0) abort();
  }
}
void join_threads(int count, long bytes) {
  (void)count;
  (void)bytes;
  pthread_barrier_wait(&go);
  for (int i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&go);
  if (work.release) kept_count = 0;
}
// The same work, begun and ended inside one call.
void run_threads(int count, long bytes) {
  start_threads(count, 1000, bytes, 0);
  join_threads(0, 0);
}
// What was kept is freed by another thread.
static void *freer(void *unused) {
  (void)unused;
  free_all(0, 0);
  return NULL;
}
void free_all_in_a_thread(int count, long bytes) {
  pthread_t thread;
  (void)count;
  (void)bytes;
  if (pthread_create(&thread, NULL, freer, NULL) != 0) abort();
  pthread_join(thread, NULL);
}
