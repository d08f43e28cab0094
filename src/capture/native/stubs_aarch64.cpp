// SPDX-License-Identifier: MIT
#include "capture/native/functions.hpp"
#include "capture/native/stubs.hpp"

// The stubs for AArch64 (AAPCS64). In assembler, because a compiler promises no tail call. x16 is
// free between a call and the function called, and a branch through it may end at any landing pad.
namespace malloc_tracer::capture::native {

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the assembler's names
extern const char mt_native_stubs[] __attribute__((visibility("hidden")));
extern const char mt_native_look_stubs[] __attribute__((visibility("hidden")));
// NOLINTEND(readability-identifier-naming)
extern void* mt_native_real_dlopen __attribute__((visibility("hidden")));
void* mt_native_real_dlopen = nullptr;
}

namespace {

constexpr int kStubBytes = 16, kLookStubBytes = 64;

}  // namespace

#define MT_NEXT ".set mt_native_index, mt_native_index + 1\n"
#define MT_LANDING "hint #34\n"  // bti c
#define MT_JUMP(table)                                \
  "adrp x16, " table "\n ldr x16, [x16, :lo12:" table \
  "]\n"                                               \
  "br x16\n"
#define MT_ENTRY(table) table " + 8 * mt_native_index"
#define MT_STUB ".p2align 4\n" MT_LANDING MT_JUMP(MT_ENTRY("mt_native_active")) MT_NEXT
// Eight argument registers, the frame pointer and the return address.
#define MT_SAVE                                          \
  "stp x29, x30, [sp, #-80]!\n .cfi_def_cfa_offset 80\n" \
  ".cfi_offset x29, -80\n .cfi_offset x30, -72\n"        \
  "stp x0, x1, [sp, #16]\n stp x2, x3, [sp, #32]\n"      \
  "stp x4, x5, [sp, #48]\n stp x6, x7, [sp, #64]\n"
#define MT_RESTORE                                    \
  "ldp x6, x7, [sp, #64]\n ldp x4, x5, [sp, #48]\n"   \
  "ldp x2, x3, [sp, #32]\n ldp x0, x1, [sp, #16]\n"   \
  "ldp x29, x30, [sp], #80\n .cfi_def_cfa_offset 0\n" \
  ".cfi_restore x29\n .cfi_restore x30\n"
#define MT_LOOK_STUB                                                          \
  ".p2align 6\n" MT_LANDING MT_SAVE "bl mt_native_look\n" MT_RESTORE MT_JUMP( \
      MT_ENTRY("mt_native_recording")) MT_NEXT

asm(".pushsection .text\n"
    ".globl mt_native_stubs\n .hidden mt_native_stubs\n .type mt_native_stubs, %function\n"
    ".p2align 4\n mt_native_stubs:\n .cfi_startproc\n"
    ".set mt_native_index, 0\n"
#define MT_HOOKED(group, name, symbol, result, ...) MT_STUB
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    MT_STUB MT_STUB MT_STUB MT_STUB
    ".cfi_endproc\n .size mt_native_stubs, . - mt_native_stubs\n"

    ".globl mt_native_look_stubs\n .hidden mt_native_look_stubs\n .type mt_native_look_stubs, "
    "%function\n"
    ".p2align 6\n mt_native_look_stubs:\n .cfi_startproc\n"
    ".set mt_native_index, 0\n"
#define MT_HOOKED(group, name, symbol, result, ...) MT_LOOK_STUB
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    MT_LOOK_STUB MT_LOOK_STUB MT_LOOK_STUB MT_LOOK_STUB
    ".cfi_endproc\n .size mt_native_look_stubs, . - mt_native_look_stubs\n"

    ".globl mt_native_dlopen\n .hidden mt_native_dlopen\n .type mt_native_dlopen, %function\n"
    ".p2align 4\n mt_native_dlopen:\n .cfi_startproc\n" MT_LANDING MT_SAVE
    "bl mt_native_note_dlopen\n" MT_RESTORE MT_JUMP("mt_native_real_dlopen")
    ".cfi_endproc\n .size mt_native_dlopen, . - mt_native_dlopen\n"
    ".popsection\n");
static_assert(kMaxExtraFunctions == 4, "one more MT_STUB and MT_LOOK_STUB for each");

void* stub_of(int index) noexcept {
  return const_cast<char*>(mt_native_stubs) + index * kStubBytes;
}

void* look_stub_of(int index) noexcept {
  return const_cast<char*>(mt_native_look_stubs) + index * kLookStubBytes;
}

}  // namespace malloc_tracer::capture::native
