// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "report/printable.hpp"
#include "trace/tables.hpp"
#include "trace/trace.hpp"

// Frames as other viewers have them: one name per frame. Names are untrusted; what is written is
// valid UTF-8 on one line.
namespace malloc_tracer::report {

// "function (file:line)". A line that only the earlier trace of a difference has is negative.
inline std::string frame_text(const trace::Tables& tables, const trace::Tables::FrameRow& frame) {
  const trace::Tables::FunctionRow& function = tables.functions[frame.function];
  return printable(function.name) + " (" + printable(tables.files[function.file].name) + ':' +
         std::to_string(frame.line) + ')';
}

}  // namespace malloc_tracer::report
