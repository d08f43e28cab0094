// SPDX-License-Identifier: MIT
// Signals that arrive anywhere, and destructors that run at a thread's end.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile long handled;
static void maps(int signal) {
  (void)signal;
  void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  *(volatile char *)p = 1;
  munmap(p, 8192);
  handled++;
}

// A signal every so many microseconds, whose handler maps and unmaps memory. To the calling thread only: one that another thread, say of
// numpy's, gets would make the tracer know that thread, and peaks beside it are approximate.
static timer_t timer;
long rain_signals(long microseconds) {
  struct sigaction action = {.sa_handler = maps, .sa_flags = SA_RESTART};
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
  struct itimerspec often = {{0, microseconds * 1000}, {0, microseconds * 1000}};
  event._sigev_un._tid = gettid();
  handled = 0;
  sigaction(SIGALRM, &action, NULL);
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) abort();
  return timer_settime(timer, 0, &often, NULL);
}
long stop_signals(void) {
  timer_delete(timer);
  signal(SIGALRM, SIG_IGN);
  return handled;
}

static pthread_key_t keys[2];
static long size;
static void destroys(void *p) {
  free(p);
  free(malloc(size));
}
static void *thread(void *kept) {
  *(void **)kept = malloc(size);
  pthread_setspecific(keys[0], malloc(size));
  pthread_setspecific(keys[1], malloc(size));
  return NULL;
}
long at_thread_end(int count, long bytes) {
  pthread_t thread_id;
  void *kept;
  size = bytes;
  for (int i = 0; i < 2; i++) pthread_key_create(&keys[i], destroys);
  for (int i = 0; i < count; i++) {
    if (pthread_create(&thread_id, NULL, thread, &kept) != 0) abort();
    pthread_join(thread_id, NULL);
  }
  for (int i = 0; i < 2; i++) pthread_key_delete(keys[i]);
  return count;
}
