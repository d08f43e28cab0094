// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// All that the engine knows of the processor, but for the stubs of capture/native, which are
// assembler. Hook safe, thread safe.
namespace malloc_tracer::platform {

// A program's addresses are below 1 << kAddressBits, unless it asks the kernel for more.
// kThreadLocalStep: on which side of the thread pointer the thread-local variables of the program
// and of the libraries loaded with it are.
#if defined(__x86_64__)
inline constexpr int kAddressBits = 47;
inline constexpr long kThreadLocalStep = -long{sizeof(void*)};
#elif defined(__aarch64__)
inline constexpr int kAddressBits = 48;
inline constexpr long kThreadLocalStep = sizeof(void*);
#else
#error "describe this processor"
#endif

// For the body of a loop that waits for another thread.
inline __attribute__((always_inline)) void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // `yield` does nothing on most
#endif
}

inline __attribute__((always_inline)) std::uintptr_t thread_pointer() noexcept {
  std::uintptr_t pointer;
#if defined(__x86_64__)
  asm volatile("mov %%fs:0, %0" : "=r"(pointer));
#elif defined(__aarch64__)
  asm volatile("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
  return pointer;
}

// The word at this distance from the thread pointer, read anew each time.
inline __attribute__((always_inline)) void* thread_local_word(long distance) noexcept {
  void* word;
#if defined(__x86_64__)
  asm volatile("movq %%fs:(%1), %0" : "=r"(word) : "r"(distance));
#elif defined(__aarch64__)
  word =
      *reinterpret_cast<void* volatile*>(thread_pointer() + static_cast<std::uintptr_t>(distance));
#endif
  return word;
}

}  // namespace malloc_tracer::platform
