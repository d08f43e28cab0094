// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>

#include "parts.hpp"

// What the engine offers to Python: see python/malloc_tracer/_engine.pyi.
NB_MODULE(_engine, module) {
  using namespace malloc_tracer::bindings;
  nanobind::set_leak_warnings(false);  // traces may outlive the interpreter's last look
  bind_trace(module);
  bind_scope(module);
  bind_frameless_method(module);
}
