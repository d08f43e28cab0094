// SPDX-License-Identifier: MIT
#pragma once

// Notices full garbage collections, which switch free lists on again (up to 3.13), without a gc
// callback: callbacks would make the interpreter allocate their arguments. `collected` is called at
// the first event after one while a scope is open. Requires the GIL; once, stays for the process.
namespace malloc_tracer::capture::cpython {

void watch_collector(void (*collected)() noexcept) noexcept;

}  // namespace malloc_tracer::capture::cpython
