// SPDX-License-Identifier: MIT
#include "trace/source_lines.hpp"

#include <cstdlib>

namespace malloc_tracer::trace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

SourceLines::SourceLines(const std::vector<Source>& sources) {
  for (const Source& source : sources) {
    Stretch stretch{source.first_line, source.is_earlier, {}};
    std::string_view left = source.text;
    for (std::size_t end; (end = left.find('\n')) != left.npos; left.remove_prefix(end + 1)) {
      stretch.lines.push_back(left.substr(0, end));
    }
    stretch.lines.push_back(left);
    stretches_[source.file].push_back(std::move(stretch));
  }
}

std::optional<std::string_view> SourceLines::line(std::string_view file, int number) const {
  const Stretch* found = stretch(file, number);
  if (found == nullptr) return std::nullopt;
  return found
      ->lines[static_cast<std::size_t>(std::abs(static_cast<long>(number)) - found->first_line)];
}

const SourceLines::Stretch* SourceLines::stretch(std::string_view file, int number) const {
  const auto found = stretches_.find(file);
  if (found == stretches_.end()) return nullptr;
  const bool is_earlier = number < 0;
  const long wanted = is_earlier ? -static_cast<long>(number) : number;
  for (const Stretch& stretch : found->second) {
    const long index = wanted - stretch.first_line;
    if (stretch.is_earlier == is_earlier && index >= 0 &&
        static_cast<std::size_t>(index) < stretch.lines.size()) {
      return &stretch;
    }
  }
  return nullptr;
}

std::vector<int> SourceLines::numbers_of(std::string_view file, std::string_view text) const {
  std::vector<int> numbers;
  const auto found = stretches_.find(file);
  if (found == stretches_.end()) return numbers;
  for (const Stretch& stretch : found->second) {
    for (std::size_t i = 0; i < stretch.lines.size(); ++i) {
      if (trimmed(stretch.lines[i]) == text) {
        numbers.push_back(stretch.first_line + static_cast<int>(i));
      }
    }
  }
  return numbers;
}

}  // namespace malloc_tracer::trace
