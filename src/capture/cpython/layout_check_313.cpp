// SPDX-License-Identifier: MIT
//
// CPython 3.13 and later: `_PyRuntime.debug_offsets`, made for debuggers, has nearly all that we
// read.
#include <cstddef>
#include <cstdint>

#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/free_threading.hpp"
#include "capture/cpython/layout_check.hpp"

#if PY_VERSION_HEX >= 0x030d0000

namespace malloc_tracer::capture::cpython {

bool is_layout_known() noexcept {
  const _Py_DebugOffsets& its = _PyRuntime.debug_offsets;
  struct {
    std::uint64_t its, ours;
  } const fields[] = {
      {its.version >> 16, PY_VERSION_HEX >> 16},
      {its.free_threaded, kFreeThreaded},
      {its.thread_state.current_frame, offsetof(PyThreadState, current_frame)},
      {its.thread_state.interp, offsetof(PyThreadState, interp)},
      {its.interpreter_frame.previous, offsetof(_PyInterpreterFrame, previous)},
      {its.interpreter_frame.executable, offsetof(_PyInterpreterFrame, f_executable)},
      {its.interpreter_frame.instr_ptr, offsetof(_PyInterpreterFrame, instr_ptr)},
      {its.interpreter_frame.localsplus, offsetof(_PyInterpreterFrame, localsplus)},
      {its.interpreter_frame.owner, offsetof(_PyInterpreterFrame, owner)},
      {its.code_object.filename, offsetof(PyCodeObject, co_filename)},
      {its.code_object.qualname, offsetof(PyCodeObject, co_qualname)},
      {its.code_object.linetable, offsetof(PyCodeObject, co_linetable)},
      {its.code_object.firstlineno, offsetof(PyCodeObject, co_firstlineno)},
      {its.code_object.co_code_adaptive, offsetof(PyCodeObject, co_code_adaptive)},
#ifdef Py_GIL_DISABLED
      {its.interpreter_frame.tlbc_index, offsetof(_PyInterpreterFrame, tlbc_index)},
      {its.code_object.co_tlbc, offsetof(PyCodeObject, co_tlbc)},
#endif
  };
  if (__builtin_memcmp(its.cookie, "xdebugpy", sizeof its.cookie) != 0) return false;
  for (const auto& field : fields) {
    if (field.its != field.ours) return false;
  }
  return true;
}

}  // namespace malloc_tracer::capture::cpython

#endif
