// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "capture/cpython/python_headers.hpp"

// CPython 3.9 and 3.10: frames are objects on the heap. They do not say which function
// runs, only its code. Hook safe: loads only.
namespace malloc_tracer::capture::cpython {

// PyFrameObject's beginning, under the names of later versions.
struct Frame {
  PyObject_VAR_HEAD Frame* previous;
  PyCodeObject* code;
};
static_assert(offsetof(Frame, previous) == offsetof(PyFrameObject, f_back));
static_assert(offsetof(Frame, code) == offsetof(PyFrameObject, f_code));

inline const PyFrameObject* object_of(const Frame* frame) noexcept {
  return reinterpret_cast<const PyFrameObject*>(frame);
}
inline Frame* top_frame(const PyThreadState* state) noexcept {
  return reinterpret_cast<Frame*>(state->frame);
}
inline PyCodeObject* code_of(const Frame* frame) noexcept { return frame->code; }

// In bytes. A frame that has only been entered is at its first instruction.
inline std::uint32_t instruction_offset(const Frame* frame) noexcept {
  constexpr int kUnit = PY_VERSION_HEX >= 0x030a0000 ? 2 : 1;
  int last = object_of(frame)->f_lasti;
  return last > 0 ? static_cast<std::uint32_t>(last * kUnit) : 0;
}
// Not an address: copies of a code object share their bytes, but each is an object of its own, at a
// multiple of 16 below 2^47. Offsets take 21 bits.
inline std::uint64_t instruction_of(const Frame* frame) noexcept {
  return reinterpret_cast<std::uint64_t>(frame->code) << 17 | instruction_offset(frame);
}
inline bool has_no_code(const Frame*) noexcept { return false; }
// What a call needs before its frame runs is made before the frame is linked.
inline bool is_incomplete(const Frame*) noexcept { return false; }
// `watched` is a function or a code object. Functions made by one `def` share its code; those with
// a closure are told apart by its cells.
inline bool runs(const Frame* frame, PyObject* watched) noexcept {
  PyObject* code = reinterpret_cast<PyObject*>(frame->code);
  if (code == watched) return true;
  if (!PyFunction_Check(watched) || code != PyFunction_GET_CODE(watched)) return false;
  PyObject* function = watched;
  PyObject* closure = PyFunction_GET_CLOSURE(function);
  PyObject* const* cells = object_of(frame)->f_localsplus + frame->code->co_nlocals +
                           PyTuple_GET_SIZE(frame->code->co_cellvars);
  for (Py_ssize_t i = closure != nullptr ? PyTuple_GET_SIZE(closure) : 0; i-- > 0;) {
    if (cells[i] != PyTuple_GET_ITEM(closure, i)) return false;
  }
  return true;
}

}  // namespace malloc_tracer::capture::cpython

// The data stack of later versions, for the names' sake: nothing ever lies in one.
struct _PyStackChunk {
  _PyStackChunk* previous;
  std::size_t size, top;
  PyObject* data[1];
};
