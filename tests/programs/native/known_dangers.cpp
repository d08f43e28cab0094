// SPDX-License-Identifier: MIT
// A thread ends a block or a mapping, and is stopped while another one asks for as much: it may get
// the same addresses only when the record of the old owner is out.
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <atomic>

#include "memory/danger.hpp"
#include "recorded.hpp"

namespace {

#ifdef MALLOC_TRACER_DANGERS
using malloc_tracer::memory::Danger;

constexpr std::size_t kBytes = 1 << 20;

std::atomic<bool> reached{false}, goes_on{false};
std::atomic<Danger> stop_at{};
thread_local bool is_to_stop = false;

void visit(Danger point) {
  if (!is_to_stop || point != stop_at) return;
  is_to_stop = false;
  reached = true;
  while (!goes_on) sched_yield();
}

void stop_other(Danger point, void* (*end)(void*), void* p, void (*ask_for_more)(void*)) {
  stop_at = point;
  malloc_tracer::memory::in_danger = visit;
  pthread_t other;
  pthread_create(&other, nullptr, end, p);
  while (!reached) sched_yield();
  ask_for_more(p);
  goes_on = true;
  pthread_join(other, nullptr);
}

void* free_it(void* p) {
  is_to_stop = true;
  std::free(p);
  return nullptr;
}
void* unmap_it(void* p) {
  is_to_stop = true;
  munmap(p, kBytes);
  return nullptr;
}
void* map_at(void* wanted) {
  return mmap(wanted, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void block() {
  mallopt(M_MMAP_THRESHOLD, kBytes / 2);  // freed addresses are anybody's at once
  stop_other(Danger::kFreeing, free_it, std::malloc(kBytes), [](void*) {
    if (std::malloc(kBytes) == nullptr) std::abort();
  });
}
void mapping() {
  stop_other(Danger::kUnmapped, unmap_it, map_at(nullptr), [](void* p) {
    if (map_at(p) != p) std::abort();
  });
}
#endif

}  // namespace

int main(int count, char** arguments) {
#ifdef MALLOC_TRACER_DANGERS
  return recorded::run(count, arguments, {{"block", block}, {"mapping", mapping}});
#else
  return recorded::run(count, arguments, {});
#endif
}
