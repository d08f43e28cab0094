// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// CPython 3.13: where the current frame is and what it says. Hook safe: loads only.
namespace malloc_tracer::capture::cpython {

using Frame = _PyInterpreterFrame;

inline Frame* top_frame(const PyThreadState* state) noexcept { return state->current_frame; }
inline PyCodeObject* code_of(const Frame* frame) noexcept {
  return reinterpret_cast<PyCodeObject*>(frame->f_executable);
}
inline PyObject* function_of(const Frame* frame) noexcept { return frame->f_funcobj; }
inline std::uint64_t instruction_of(const Frame* frame) noexcept {
  return reinterpret_cast<std::uint64_t>(frame->instr_ptr);
}
inline bool has_no_code(const Frame* frame) noexcept {
  return frame->owner == FRAME_OWNED_BY_CSTACK;
}  // entry shim
// The chunk popped last, if the interpreter keeps it for the next push: from 3.14 on.
inline _PyStackChunk* waiting_chunk(const PyThreadState*) noexcept { return nullptr; }
inline void forget_waiting_chunk(PyThreadState*) noexcept {}

}  // namespace malloc_tracer::capture::cpython
