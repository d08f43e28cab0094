// SPDX-License-Identifier: MIT
#include "capture/cpython/frame_blocks.hpp"

#if PY_VERSION_HEX < 0x030b0000

#include "capture/cpython/python_frames.hpp"
#include "capture/events.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

destructor original;

// The record that is still there when the frame has gone is of a block that is kept.
void dealloc(PyObject* frame) {
  void* block = reinterpret_cast<char*>(frame) - sizeof(PyGC_Head);
  const Cell* cell = page_map.find(address_of(block));
  Cell record = cell != nullptr ? *cell : 0;
  original(frame);  // may end the last scope
  if (record < engine.generation || *cell != record) return;
  on_free<AttachedFrames>(here(), block, take(block));
}

}  // namespace

void follow_frames(bool on) noexcept {
  if (on) original = PyFrame_Type.tp_dealloc;
  PyFrame_Type.tp_dealloc = on ? dealloc : original;
}

}  // namespace malloc_tracer::capture::cpython

#endif
