// SPDX-License-Identifier: MIT
// Threads that allocate, and free each other's blocks.
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>

#include "recorded.hpp"

namespace {

constexpr int kThreads = 8, kRounds = 20'000, kPassed = 256;

std::atomic<void*> passed[kThreads][kPassed];

// Without std::thread, which allocates itself.
void on_threads(void* (*function)(void*)) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++)
    pthread_create(&threads[i], nullptr, function, reinterpret_cast<void*>(i));
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

// Every thread: 20,000 blocks of 1..100 bytes, half of them freed by whoever finds them.
void* allocate_and_pass(void* cookie) {
  auto me = reinterpret_cast<long>(cookie);
  for (int i = 0; i < kRounds; i++) {
    void* p = std::malloc(static_cast<std::size_t>(i % 100 + 1));
    if (i % 2 == 0) {
      std::free(p);
    } else {
      std::free(passed[(me + i) % kThreads][i % kPassed].exchange(p));
    }
  }
  return nullptr;
}

void exchange() {
  on_threads(allocate_and_pass);
  for (auto& row : passed) {
    for (auto& p : row) std::free(p.exchange(nullptr));
  }
}

void* grow(void*) {
  void* p = nullptr;
  for (int i = 1; i <= 1000; i++) p = std::realloc(p, static_cast<std::size_t>(i * 10));
  std::free(p);
  return nullptr;
}
void reallocate() { on_threads(grow); }

void* map_and_cut(void*) {
  constexpr std::size_t kPage = 4096;
  for (int i = 0; i < 500; i++) {
    auto* p =
        static_cast<char*>(mmap(nullptr, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(p + kPage, kPage);  // another thread may map the gap
    munmap(p, kPage);
    munmap(p + 2 * kPage, kPage);
  }
  return nullptr;
}
void map() { on_threads(map_and_cut); }

void* throw_and_catch(void*) {
  volatile std::size_t huge = static_cast<std::size_t>(-1) / 2 - 100;
  for (int i = 0; i < 100; i++) {
    try {
      delete static_cast<char*>(::operator new(huge));
    } catch (const std::bad_alloc&) {
      delete new int;
    }
  }
  return nullptr;
}
void exceptions() { on_threads(throw_and_catch); }

void* free_it(void* p) {
  std::free(p);
  return nullptr;
}
void freed_elsewhere() {
  for (int i = 0; i < 50; i++) {
    pthread_t thread;
    pthread_create(&thread, nullptr, free_it, std::malloc(64));
    pthread_join(thread, nullptr);
  }
}

}  // namespace

int main(int count, char** arguments) {
  return recorded::run(count, arguments,
                       {{"exchange", exchange},
                        {"reallocate", reallocate},
                        {"map", map},
                        {"exceptions", exceptions},
                        {"freed_elsewhere", freed_elsewhere}});
}
