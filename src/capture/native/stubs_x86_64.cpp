// SPDX-License-Identifier: MIT
#include "capture/native/functions.hpp"
#include "capture/native/stubs.hpp"

// The stubs for x86-64 (System V calling convention). In assembler, because a compiler promises no
// tail call.

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
#define MT_STUB ".p2align 4\n endbr64\n jmp *mt_native_active + 8 * mt_native_index(%rip)\n" MT_NEXT
// Six argument registers; with the return address the stack is 16-aligned again after one more
// word.
#define MT_SAVE                                                                   \
  "push %rdi\n .cfi_adjust_cfa_offset 8\n push %rsi\n .cfi_adjust_cfa_offset 8\n" \
  "push %rdx\n .cfi_adjust_cfa_offset 8\n push %rcx\n .cfi_adjust_cfa_offset 8\n" \
  "push %r8\n .cfi_adjust_cfa_offset 8\n push %r9\n .cfi_adjust_cfa_offset 8\n"   \
  "push %rax\n .cfi_adjust_cfa_offset 8\n"
#define MT_RESTORE                                                                \
  "pop %rax\n .cfi_adjust_cfa_offset -8\n pop %r9\n .cfi_adjust_cfa_offset -8\n"  \
  "pop %r8\n .cfi_adjust_cfa_offset -8\n pop %rcx\n .cfi_adjust_cfa_offset -8\n"  \
  "pop %rdx\n .cfi_adjust_cfa_offset -8\n pop %rsi\n .cfi_adjust_cfa_offset -8\n" \
  "pop %rdi\n .cfi_adjust_cfa_offset -8\n"
#define MT_LOOK_STUB                                                  \
  ".p2align 6\n endbr64\n" MT_SAVE "call mt_native_look\n" MT_RESTORE \
  "jmp *mt_native_recording + 8 * mt_native_index(%rip)\n" MT_NEXT

asm(".pushsection .text\n"
    ".globl mt_native_stubs\n .hidden mt_native_stubs\n .type mt_native_stubs, @function\n"
    ".p2align 4\n mt_native_stubs:\n .cfi_startproc\n"
    ".set mt_native_index, 0\n"
#define MT_HOOKED(group, name, symbol, result, ...) MT_STUB
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    MT_STUB MT_STUB MT_STUB MT_STUB
    ".cfi_endproc\n .size mt_native_stubs, . - mt_native_stubs\n"

    ".globl mt_native_look_stubs\n .hidden mt_native_look_stubs\n .type mt_native_look_stubs, "
    "@function\n"
    ".p2align 6\n mt_native_look_stubs:\n .cfi_startproc\n"
    ".set mt_native_index, 0\n"
#define MT_HOOKED(group, name, symbol, result, ...) MT_LOOK_STUB
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
    MT_LOOK_STUB MT_LOOK_STUB MT_LOOK_STUB MT_LOOK_STUB
    ".cfi_endproc\n .size mt_native_look_stubs, . - mt_native_look_stubs\n"

    ".globl mt_native_dlopen\n .hidden mt_native_dlopen\n .type mt_native_dlopen, @function\n"
    ".p2align 4\n mt_native_dlopen:\n .cfi_startproc\n endbr64\n" MT_SAVE
    "call mt_native_note_dlopen\n" MT_RESTORE
    "jmp *mt_native_real_dlopen(%rip)\n"
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
