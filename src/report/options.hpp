// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace/combine.hpp"
#include "trace/trace.hpp"

// What a report takes beside the trace: how it is listed, and where source text comes from.
namespace malloc_tracer::report {

enum class Column : std::uint8_t {
  kSize,
  kLive,
  kPeak,
  kAllocated,
  kCount,
  kTemporary,
  kFreed,
  kTotal
};

enum class Related : std::uint8_t { kNone, kForEachFile, kInDescendingOrder };

// A stretch of one file that the target table shows in full.
struct Section {
  std::string file;
  int first_line = 1;
  std::vector<std::string> text;  // source lines without their newline
  std::string note;               // why there is no source, if so: then `text` is empty and lines
                                  // `first_line`..`last_line` with numbers are shown
  int last_line = 0;              // only read where `text` is empty
};

using trace::SourceLines;

struct ReportOptions {
  std::vector<Column> columns;  // empty: 1.7's one column `Size` (live, self)
  std::vector<Section> target;  // empty: the target table says that there is no source (see `note`)
  std::string note;             // said in place of the table when `target` is empty
  Related related = Related::kNone;
  std::vector<std::string> include,
      exclude;  // fnmatch patterns of file names, for related traces only; empty include = all
  SourceLines source;  // of files; not set: source text is left out
};

}  // namespace malloc_tracer::report
