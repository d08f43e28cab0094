// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// Before 3.11 a frame is a block of the heap, which the interpreter keeps for the function's next
// call when it returns. While a scope is open such a frame counts as freed when its function
// returns, or every function's first call would leave 400 bytes in a line. Requires the GIL.
namespace malloc_tracer::capture::cpython {

#if PY_VERSION_HEX < 0x030b0000
void follow_frames(bool on) noexcept;
#else
inline void follow_frames(bool) noexcept {}  // frames are no objects
#endif

}  // namespace malloc_tracer::capture::cpython
