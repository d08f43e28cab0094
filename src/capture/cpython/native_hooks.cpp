// SPDX-License-Identifier: MIT
#include "capture/cpython/native_hooks.hpp"
namespace malloc_tracer::capture::cpython {
bool install_native() noexcept { return true; }
void record_native(bool) noexcept {}
}  // namespace malloc_tracer::capture::cpython
