// SPDX-License-Identifier: MIT
#include "capture/native/functions.hpp"
#include "capture/native/stubs.hpp"

// The stubs for AArch64 (AAPCS64). In assembler, because a compiler promises no tail call. x16 is
// free between a call and the function called, and a branch through it may end at any landing pad.
namespace malloc_tracer::capture::native {

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the assembler's names
extern const char mt_native_stubs[] __attribute__((visibility("hidden")));
// NOLINTEND(readability-identifier-naming)
}

namespace {

constexpr int kStubBytes = 16;

}  // namespace

#define MT_NEXT ".set mt_native_index, mt_native_index + 1\n"
#define MT_LANDING "hint #34\n"  // bti c
#define MT_ENTRY "mt_native_active + 8 * mt_native_index"
#define MT_STUB                                                                       \
  ".p2align 4\n" MT_LANDING "adrp x16, " MT_ENTRY "\n ldr x16, [x16, :lo12:" MT_ENTRY \
  "]\n"                                                                               \
  "br x16\n" MT_NEXT

asm(".pushsection .text\n"
    ".globl mt_native_stubs\n .hidden mt_native_stubs\n .type mt_native_stubs, %function\n"
    ".p2align 4\n mt_native_stubs:\n .cfi_startproc\n"
    ".set mt_native_index, 0\n"
#define MT_HOOKED(group, name, symbol, result, ...) MT_STUB
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    MT_STUB MT_STUB MT_STUB MT_STUB
    ".cfi_endproc\n .size mt_native_stubs, . - mt_native_stubs\n"
    ".popsection\n");
static_assert(kMaxExtraFunctions == 4, "one more MT_STUB for each");

void* stub_of(int index) noexcept {
  return const_cast<char*>(mt_native_stubs) + index * kStubBytes;
}

}  // namespace malloc_tracer::capture::native
