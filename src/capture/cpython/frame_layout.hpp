// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// The version table: one header per CPython family says how to read its frames.
#include "capture/cpython/python_headers.hpp"
#if PY_VERSION_HEX < 0x03090000 || PY_VERSION_HEX >= 0x03100000
#error \
    "malloc_tracer: add a frame_<version>.hpp, free_lists_<version>.cpp and exit_events_<version>.cpp for this CPython"
#elif defined(Py_GIL_DISABLED)
#include "capture/cpython/frame_314t.hpp"
#elif PY_VERSION_HEX >= 0x030e0000
#include "capture/cpython/frame_314.hpp"
#elif PY_VERSION_HEX >= 0x030d0000
#include "capture/cpython/frame_313.hpp"
#elif PY_VERSION_HEX >= 0x030c0000
#include "capture/cpython/frame_312.hpp"
#elif PY_VERSION_HEX >= 0x030b0000
#include "capture/cpython/frame_311.hpp"
#else
#include "capture/cpython/frame_39.hpp"
#endif

#if PY_VERSION_HEX >= 0x030b0000
namespace malloc_tracer::capture::cpython {

#ifndef Py_GIL_DISABLED
inline const _Py_CODEUNIT* first_instruction_of(const Frame* frame) noexcept {
  return _PyCode_CODE(code_of(frame));
}
#endif

inline std::uint32_t instruction_offset(const Frame* frame) noexcept {
  return static_cast<std::uint32_t>(instruction_of(frame) -
                                    reinterpret_cast<std::uint64_t>(first_instruction_of(frame)));
}

// Still being set up by its caller (or `__init__`'s trampoline): what it allocates belongs to the
// frame below.
inline bool is_incomplete(const Frame* frame) noexcept {
  if (has_no_code(frame)) return true;
  if (frame->owner == FRAME_OWNED_BY_GENERATOR) return false;
  return instruction_of(frame) <
         reinterpret_cast<std::uint64_t>(first_instruction_of(frame) +
                                         code_of(frame)->_co_firsttraceable);
}

// Is it an activation of this function, or of any with this code object?
inline bool runs(const Frame* frame, PyObject* watched) noexcept {
  return watched == function_of(frame) ||
         watched == reinterpret_cast<const PyObject*>(code_of(frame));
}

}  // namespace malloc_tracer::capture::cpython
#endif
