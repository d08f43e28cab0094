// SPDX-License-Identifier: MIT
//
// CPython 3.14 and 3.15: the interpreter's lists.
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"

#if PY_VERSION_HEX >= 0x030e0000 && !defined(Py_GIL_DISABLED)

#include "capture/cpython/free_lists_314.hpp"

namespace malloc_tracer::capture::cpython {

namespace {
_Py_freelists* lists = nullptr;  // while disabled
}

void learn_free_lists() noexcept {}

void drain_free_lists() noexcept {}  // disable_free_lists does it

void disable_free_lists() noexcept {
  if (lists != nullptr) return;
  lists = &PyInterpreterState_Get()->object_state.freelists;
  turn_off(*lists);
}

void enable_free_lists() noexcept {
  if (lists == nullptr) return;
  turn_on(*lists);
  lists = nullptr;
}

}  // namespace malloc_tracer::capture::cpython

#endif
