// SPDX-License-Identifier: MIT
#pragma once

// Are this interpreter's structures those that the engine was compiled for? A distribution may have
// changed them without changing the version. One sibling file per way of knowing: from 3.13 on the
// interpreter publishes its layout, before that a known frame is looked at.
namespace malloc_tracer::capture::cpython {

// Requires the GIL, and a Python frame that runs.
bool is_layout_known() noexcept;

}  // namespace malloc_tracer::capture::cpython
