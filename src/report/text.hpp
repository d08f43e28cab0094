// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trace/trace.hpp"

// The listing of malloc_tracer 1.7: source lines with numbers beside them. A pure function of a
// trace and of the source text that is handed in; never depends on terminal, width, locale or
// colour.
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

using trace::Related;

// A stretch of one file that the target table shows in full.
struct Section {
  std::string file;
  int first_line = 1;
  std::vector<std::string> text;  // source lines without their newline
  std::string note;               // why there is no source, if so: then `text` is empty and lines
                                  // `first_line`..`last_line` with numbers are shown
  int last_line = 0;              // only read where `text` is empty
};

// The text of one line; empty where there is no source to be had.
using SourceLine = std::function<std::string(const std::string& file, int number)>;

struct TextOptions {
  std::vector<Column> columns;  // empty: 1.7's one column `Size` (live, self)
  std::vector<Section> target;  // empty: the target table says that there is no source (see `note`)
  std::string note;             // said in place of the table when `target` is empty
  Related related = Related::kNone;
  std::vector<std::string> include,
      exclude;  // fnmatch patterns of file names, for related traces only; empty include = all
  SourceLine source;  // of related lines
};

std::string text_report(const trace::Trace& trace, const TextOptions& options);

// "7.9 KiB", "800 B": 1.7's format of a size (1024, one decimal except B).
std::string format_size(std::int64_t bytes);

}  // namespace malloc_tracer::report
