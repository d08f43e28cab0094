// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "trace/trace.hpp"

namespace malloc_tracer::trace {

// The source text of a trace by file and line; the sources must outlive it.
class SourceLines {
 public:
  explicit SourceLines(const std::vector<Source>& sources);

  // The text of a line, without its newline. Negative numbers are lines of the earlier trace's
  // file, as in a difference.
  std::optional<std::string_view> line(std::string_view file, int number) const;

  bool has(std::string_view file) const { return stretches_.contains(file); }

  struct Stretch {
    int first_line = 1;
    bool is_earlier = false;
    std::vector<std::string_view> lines;
  };

  // The text that a line stands in, null if there is none.
  const Stretch* stretch(std::string_view file, int number) const;

  // Numbers of the lines whose text is `text`, blanks around it aside; ascending within a stretch.
  std::vector<int> numbers_of(std::string_view file, std::string_view text) const;

 private:
  std::unordered_map<std::string_view, std::vector<Stretch>> stretches_;
};

// Without blanks at either end.
std::string_view trimmed(std::string_view text);

}  // namespace malloc_tracer::trace
