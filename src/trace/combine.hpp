// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "trace/trace.hpp"

// Traces made of traces: ordinary ones, so that every report works on them. Neither has a timeline:
// the clocks of their parts have nothing in common.
namespace malloc_tracer::trace {

// The source of a file, line by line; empty: not known.
using SourceLines = std::function<std::vector<std::string>(const std::string& file)>;

// All numbers added up, of every node, thread and allocator; the peak is the sum of the peaks, an
// upper bound where the parts did not run at the same time. Requires: at least one trace.
Trace merge(std::span<const Trace* const> traces);

// What `now` has more than `before`, place by place; less is a negative number. A line is the same
// if it stands in the same function of the same file and has the same text, wherever it has moved
// to; a line whose text is gone counts where it would stand now. Without the source of both, lines
// of equal numbers are the same. Places without any change are left out.
Trace diff(const Trace& now, const Trace& before, const SourceLines& source_now,
           const SourceLines& source_before);

}  // namespace malloc_tracer::trace
