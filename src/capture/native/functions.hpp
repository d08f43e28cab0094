// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

// The tables a hooked call goes through, made from hooked_functions.def:
//
//   call -> GOT slot -> stub -> active -> the real function        no scope is open
//                                      -> its hook                 while recording
//
// Slots are patched once and keep pointing at the stubs; switching only changes `active`, entry by
// entry, while calls go on: before the first scope opens and after the last has closed real
// functions and hooks do the same. Hook safe, thread safe.
namespace malloc_tracer::capture::native {

// Functions of others than this layer (capture/cpython), known by name at run time.
inline constexpr int kMaxExtraFunctions = 4;

struct alignas(64) Functions {
#define MT_HOOKED(group, name, symbol, result, ...) result (*name)(__VA_ARGS__);
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
  void* extra[kMaxExtraFunctions];
};

enum class Group : std::uint8_t { kHeap, kNew, kMapping, kExtra };

inline constexpr int kFirstExtraFunction = offsetof(Functions, extra) / sizeof(void*);
inline constexpr int kFunctionCount = kFirstExtraFunction + kMaxExtraFunctions;

inline void** entries(Functions& functions) noexcept {
  return reinterpret_cast<void**>(&functions);
}

// The program's own allocator functions; nullptr where it has none.
extern constinit Functions real;

extern "C" {
// Read by the stubs; named in C because they are written in assembler.
extern Functions mt_native_active __attribute__((visibility("hidden")));
}

}  // namespace malloc_tracer::capture::native
