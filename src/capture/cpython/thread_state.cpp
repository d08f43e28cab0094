// SPDX-License-Identifier: MIT
#include "capture/cpython/thread_state.hpp"

#include <sys/mman.h>

#include <cstdint>

#include "platform/prim.hpp"

namespace malloc_tracer::capture::cpython {

constinit ThreadStateSource thread_state_source;

#if PY_VERSION_HEX >= 0x030c0000

namespace {

constexpr int kReach = 512;  // words beside the thread pointer: executable's and libpython's own
constexpr int kMost = 64;

constinit thread_local PyThreadState* no_state __attribute__((tls_model("initial-exec"))) = nullptr;

// The scan must not cross the end of the TLS mapping: a blind one crashed 1 process in 20.
bool is_mapped(std::uintptr_t page) noexcept {
  unsigned char vector;
  return mincore(reinterpret_cast<void*>(page), platform::page_bytes(), &vector) == 0;
}

}  // namespace

// The word that holds the current state, becomes null when the GIL is released and comes back with
// it. Unique or not used (0).
static long find_offset() noexcept {
  PyThreadState* me = PyThreadState_Get();
  long holders[kMost];
  int count = 0;
  std::uintptr_t page = 0;
  for (int word = 1; word < kReach && count < kMost; word++) {
    long distance = word * platform::kThreadLocalStep;
    std::uintptr_t its_page = (platform::thread_pointer() + static_cast<std::uintptr_t>(distance)) &
                              ~(platform::page_bytes() - 1);
    if (its_page != page && !is_mapped(its_page)) break;
    page = its_page;
    if (platform::thread_local_word(distance) == me) holders[count++] = distance;
  }
  PyThreadState* saved = PyEval_SaveThread();
  int cleared = 0;
  for (int i = 0; i < count; i++) {
    if (platform::thread_local_word(holders[i]) == nullptr) holders[cleared++] = holders[i];
  }
  PyEval_RestoreThread(saved);
  return cleared == 1 && platform::thread_local_word(holders[0]) == me ? holders[0] : 0;
}

bool find_thread_state() noexcept {
#if PY_VERSION_HEX < 0x030f0000
  thread_state_source.own_key = _PyRuntime.autoTSSkey._key;
#endif
  long offset = find_offset();
  thread_state_source.known = offset != 0;
  if (!thread_state_source.known)
    offset =
        static_cast<long>(reinterpret_cast<std::uintptr_t>(&no_state) - platform::thread_pointer());
  thread_state_source.offset = offset;
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
