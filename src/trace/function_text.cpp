// SPDX-License-Identifier: MIT
#include "trace/function_text.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <limits>

namespace malloc_tracer::trace {
namespace {

constexpr std::size_t kBlank = std::numeric_limits<std::size_t>::max();

std::size_t indent(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\f\r");
  return first == line.npos ? kBlank : first;
}

bool begins_definition(std::string_view line) {
  const std::string_view text = trimmed(line);
  return text.starts_with("def ") || text.starts_with("async def ") || text.starts_with("class ");
}

struct Range {
  std::size_t begin, end;
};

// Around the lines from `first` to `last`.
Range definition(const std::vector<std::string_view>& lines, std::size_t first, std::size_t last) {
  std::size_t least = kBlank;  // indentation below the line looked at
  for (std::size_t i = first + 1; i <= last; ++i) least = std::min(least, indent(lines[i]));
  for (std::size_t i = first + 1; i-- > 0;) {
    const std::size_t here = indent(lines[i]);
    if (here >= least && i != first) continue;
    if (here < least && begins_definition(lines[i])) {
      std::size_t end = last + 1;
      while (end < lines.size() && indent(lines[end]) > here) ++end;
      return {i, end};
    }
    least = std::min(least, here);
  }
  return {0, lines.size()};
}

bool says_something(std::string_view text) {
  return std::ranges::any_of(
      text, [](unsigned char letter) { return letter >= 0x80 || std::isalnum(letter) != 0; });
}

}  // namespace

std::vector<TextLine> text_of(const FunctionLines& function) {
  std::vector<TextLine> text;
  // A file may claim lines of an earlier trace, whose numbers are negative, in any trace.
  auto number = std::ranges::lower_bound(function.numbers, 0);
  while (number != function.numbers.end()) {
    const SourceLines::Stretch* stretch = function.sources.stretch(function.file, *number);
    if (stretch == nullptr) {
      ++number;
      continue;
    }
    const auto index = [&](int line) {
      return static_cast<std::size_t>(line - stretch->first_line);
    };
    const std::size_t first = index(*number);
    const auto beyond = std::find_if(number, function.numbers.end(), [&](int line) {
      return index(line) >= stretch->lines.size();
    });
    const auto [begin, end] = definition(stretch->lines, first, index(*(beyond - 1)));
    for (std::size_t i = begin; i < end; ++i) {
      const int line = stretch->first_line + static_cast<int>(i);
      const std::string_view words = trimmed(stretch->lines[i]);
      const bool has_numbers = number != beyond && *number == line;
      if (has_numbers) ++number;
      if (has_numbers || says_something(words)) text.push_back({line, words});
    }
    number = beyond;
  }
  return text;
}

}  // namespace malloc_tracer::trace
