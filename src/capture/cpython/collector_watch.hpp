// SPDX-License-Identifier: MIT
#pragma once

// Notices full garbage collections, which switch free lists on again (up to 3.13), without a gc
// callback: callbacks would make the interpreter allocate their arguments. Requires the GIL.
namespace malloc_tracer::capture::cpython {

void watch_collector() noexcept;

}  // namespace malloc_tracer::capture::cpython
