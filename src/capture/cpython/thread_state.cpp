// SPDX-License-Identifier: MIT
#include "capture/cpython/thread_state.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace malloc_tracer::capture::cpython {

constinit ThreadStateSource thread_state_source;

#if PY_VERSION_HEX >= 0x030c0000

namespace {

constexpr long kReach =
    4096;  // bytes below the thread pointer: the static TLS of executable and libpython
constexpr int kMost = 64;

char* thread_pointer() noexcept {
  char* pointer;
  asm volatile("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

PyThreadState* word_below(long distance) noexcept {
  return *reinterpret_cast<PyThreadState* volatile*>(thread_pointer() - distance);
}

constinit thread_local PyThreadState* no_state __attribute__((tls_model("initial-exec"))) = nullptr;

// The scan must not cross the end of the TLS mapping: a blind one crashed 1 process in 20.
bool is_mapped(const char* address) noexcept {
  unsigned char vector;
  return mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) &
                                         ~std::uintptr_t{4095}),
                 4096, &vector) == 0;
}

}  // namespace

// The word that holds the current state, becomes null when the GIL is released and comes back with
// it. Unique or not used (0).
static long find_offset() noexcept {
  PyThreadState* me = PyThreadState_Get();
  long holders[kMost];
  int count = 0;
  const char* page = nullptr;
  for (long distance = 8; distance < kReach && count < kMost; distance += 8) {
    const char* address = thread_pointer() - distance;
    const char* its_page = reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(address) &
                                                         ~std::uintptr_t{4095});
    if (its_page != page && !is_mapped(address)) break;
    page = its_page;
    if (word_below(distance) == me) holders[count++] = distance;
  }
  PyThreadState* saved = PyEval_SaveThread();
  int cleared = 0;
  for (int i = 0; i < count; i++) {
    if (word_below(holders[i]) == nullptr) holders[cleared++] = holders[i];
  }
  PyEval_RestoreThread(saved);
  return cleared == 1 && word_below(holders[0]) == me ? -holders[0] : 0;
}

bool find_thread_state() noexcept {
#if PY_VERSION_HEX < 0x030f0000
  thread_state_source.own_key = _PyRuntime.autoTSSkey._key;
#endif
  long offset = find_offset();
  thread_state_source.known = offset != 0;
  thread_state_source.offset =
      thread_state_source.known ? offset : reinterpret_cast<char*>(&no_state) - thread_pointer();
  return own_state() == PyThreadState_Get() && attached_state() == PyThreadState_Get();
}

#else

bool find_thread_state() noexcept {
  thread_state_source.own_key = _PyRuntime.gilstate.autoTSSkey._key;
  thread_state_source.current =
      reinterpret_cast<PyThreadState* volatile*>(&_PyRuntime.gilstate.tstate_current);
  return own_state() == PyThreadState_Get() && attached_state() == PyThreadState_Get();
}

#endif

}  // namespace malloc_tracer::capture::cpython
