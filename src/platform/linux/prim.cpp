// SPDX-License-Identifier: MIT
#include "platform/prim.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace malloc_tracer::platform {

namespace {

class KeepErrno {
 public:
  KeepErrno() = default;
  ~KeepErrno() { errno = saved_; }
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;

 private:
  int saved_ = errno;
};

}  // namespace

void* reserve(std::size_t bytes) noexcept {
  const KeepErrno keep;
  // Not the C library's mmap: where the engine is linked into the program, that is one of our own
  // hooks.
  long mapped = syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
  if (mapped == -1) return nullptr;
  void* start = reinterpret_cast<void*>(mapped);
  // Sparse arrays: one touched word must not cost a 2 MiB page where large pages are always on.
  madvise(start, bytes, MADV_NOHUGEPAGE);
  return start;
}

bool has_room(std::size_t bytes) noexcept {
  void* probe = reserve(bytes);
  release(probe, bytes);
  return probe != nullptr;
}

void release(void* start, std::size_t bytes) noexcept {
  const KeepErrno keep;
  if (start != nullptr) syscall(SYS_munmap, start, bytes);
}

void forget(void* start, std::size_t bytes) noexcept {
  const KeepErrno keep;
  madvise(start, bytes, MADV_DONTNEED);
}

void prefer_large_pages(void* start, std::size_t bytes) noexcept {
  const KeepErrno keep;
  madvise(start, bytes, MADV_HUGEPAGE);
}

std::uint64_t thread_id() noexcept {
  const KeepErrno keep;
  return static_cast<std::uint64_t>(syscall(SYS_gettid));
}

void thread_name(char (&name)[16]) noexcept {
  const KeepErrno keep;
  if (prctl(PR_GET_NAME, name, 0, 0, 0) != 0) name[0] = '\0';
}

std::int64_t monotonic_ns() noexcept {
  const KeepErrno keep;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void yield() noexcept {
  const KeepErrno keep;
  sched_yield();
}

bool barrier_all_threads() noexcept {
  const KeepErrno keep;
  // Registering again is cheap and survives fork, so no state is kept.
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return true;
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void at_fork(void (*child)()) noexcept { pthread_atfork(nullptr, nullptr, child); }

namespace {

pthread_key_t exit_key;
void (*exit_function)(void*) = nullptr;
thread_local int exit_rounds __attribute__((tls_model("initial-exec"))) = 0;

#ifdef __SANITIZE_THREAD__
// The sanitizer wants to be the last too: what comes after it, it cannot watch.
constexpr int kExitRounds = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
#else
constexpr int kExitRounds = PTHREAD_DESTRUCTOR_ITERATIONS;
#endif

// Other keys' destructors may still free memory: be the last by asking for every further round.
void thread_gone(void* cookie) {
  if (++exit_rounds < kExitRounds) {
    pthread_setspecific(exit_key, cookie);
  } else {
    exit_function(cookie);
  }
}

}  // namespace

void at_thread_exit(void (*gone)(void*), void* cookie) noexcept {
  const KeepErrno keep;
  if (exit_function == nullptr && pthread_key_create(&exit_key, thread_gone) == 0)
    exit_function = gone;
  if (exit_function != nullptr) pthread_setspecific(exit_key, cookie);
}

}  // namespace malloc_tracer::platform
