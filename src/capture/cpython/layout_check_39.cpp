// SPDX-License-Identifier: MIT
//
// CPython 3.9 to 3.12: what the public functions say of the frame that runs.
#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/layout_check.hpp"

#if PY_VERSION_HEX < 0x030d0000

namespace malloc_tracer::capture::cpython {

bool is_layout_known() noexcept {
  PyThreadState* state = PyThreadState_Get();
  const Frame* frame = top_frame(state);
  while (frame != nullptr && is_incomplete(frame)) frame = frame->previous;
  PyFrameObject* object = PyThreadState_GetFrame(state);
  PyCodeObject* code = object != nullptr ? PyFrame_GetCode(object) : nullptr;
  bool same = frame != nullptr && code != nullptr && code_of(frame) == code &&
              PyCode_Addr2Line(code, static_cast<int>(instruction_offset(frame))) ==
                  PyFrame_GetLineNumber(object);
  Py_XDECREF(code);
  Py_XDECREF(object);
  return same;
}

}  // namespace malloc_tracer::capture::cpython

#endif
