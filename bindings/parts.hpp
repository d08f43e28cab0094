// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "trace/trace.hpp"

namespace malloc_tracer::bindings {

using SharedTrace = std::shared_ptr<const trace::Trace>;

struct TraceData {
  SharedTrace trace;
};

// The module's parts; each adds its classes.
void bind_trace(nanobind::module_& module);
void bind_files(nanobind::module_& module, nanobind::class_<TraceData>& data);
void bind_scope(nanobind::module_& module);
void bind_frameless_method(nanobind::module_& module);

}  // namespace malloc_tracer::bindings
