// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "trace/source_lines.hpp"

namespace malloc_tracer::trace {

// The lines of one function that have numbers in one of the two traces of a difference.
struct FunctionLines {
  const SourceLines& sources;
  std::string_view file;
  std::vector<int> numbers;  // ascending
};

struct TextLine {
  int number;
  std::string_view text;  // without blanks around it
};

// The text around the lines of a function: from the line that begins the innermost definition
// around them to its end, by how far lines are indented, as in Python; where nothing begins one, as
// in the body of a module, all there is. Lines that have no numbers, letters or digits are left
// out: they say nothing of where they stand.
std::vector<TextLine> text_of(const FunctionLines& function);

}  // namespace malloc_tracer::trace
