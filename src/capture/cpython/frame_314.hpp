// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// CPython 3.14 and 3.15: where the current frame is and what it says; references are tagged in
// their low two bits. Hook safe: loads only.
namespace malloc_tracer::capture::cpython {

using Frame = _PyInterpreterFrame;

inline constexpr std::uintptr_t kReferenceTag = 3;

inline Frame* top_frame(const PyThreadState* state) noexcept { return state->current_frame; }
inline PyCodeObject* code_of(const Frame* frame) noexcept {
  return reinterpret_cast<PyCodeObject*>(frame->f_executable.bits & ~kReferenceTag);
}
inline PyObject* function_of(const Frame* frame) noexcept {
  return reinterpret_cast<PyObject*>(frame->f_funcobj.bits & ~kReferenceTag);
}
inline std::uint64_t instruction_of(const Frame* frame) noexcept {
  return reinterpret_cast<std::uint64_t>(frame->instr_ptr);
}
inline bool has_no_code(const Frame* frame) noexcept {
  return frame->owner >= FRAME_OWNED_BY_INTERPRETER;
}  // entry shim, 3.15: also the last of every chain
inline _PyStackChunk* waiting_chunk(const PyThreadState* state) noexcept {
  return state->datastack_cached_chunk;
}
inline void forget_waiting_chunk(PyThreadState* state) noexcept {
  state->datastack_cached_chunk = nullptr;
}

}  // namespace malloc_tracer::capture::cpython
