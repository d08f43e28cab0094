// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/frame_314.hpp"

// Free-threaded CPython 3.14 and 3.15: every thread runs its own copy of a code object's
// instructions, so that it may specialize them alone. The rest is as with the GIL. Hook safe: loads
// only.
namespace malloc_tracer::capture::cpython {

// Where the copy that the frame runs begins. The list of copies may be replaced by a longer one
// meanwhile, and a thread that has let go of the interpreter does not keep the old one alive: what
// was read of it counts only if it still is the list.
inline const _Py_CODEUNIT* first_instruction_of(const Frame* frame) noexcept {
  _PyCodeArray* const* list = &code_of(frame)->co_tlbc;
  for (;;) {
    const _PyCodeArray* copies = __atomic_load_n(list, __ATOMIC_ACQUIRE);
    const char* first = __atomic_load_n(&copies->entries[frame->tlbc_index], __ATOMIC_ACQUIRE);
    if (__atomic_load_n(list, __ATOMIC_RELAXED) == copies)
      return reinterpret_cast<const _Py_CODEUNIT*>(first);
  }
}

}  // namespace malloc_tracer::capture::cpython
