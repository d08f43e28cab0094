// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/text.hpp"

// How the listing looks: columns, widths, rows, rules. Knows nothing of what is listed or why.
namespace malloc_tracer::report {

// The numbers of a row, one for each chosen column.
using Values = std::vector<std::int64_t>;

bool any(const Values& values);
void add(Values& sum, const Values& values);  // of equal length

// Either 1.7's fixed layout (no columns chosen, or `Size` alone) or one right-aligned cell for each
// chosen column, as wide as the widest value that it has been shown by fit().
class TextLayout {
 public:
  // In a difference what has grown has a plus sign.
  TextLayout(const std::vector<Column>& columns, bool is_difference);

  Values values(const trace::Line& line) const;
  void fit(const Values& values);

  // Each with its newline. A row without any number has blank cells.
  std::string header() const;
  std::string row(int number, const Values& values, std::string_view text) const;
  std::string footer(std::uint64_t row_count, const Values& sum) const;
  std::string head(std::uint64_t rank, std::string_view file, const Values& values) const;
  static std::string rule(char c);

 private:
  std::string cells(const Values& values) const;

  std::string cell(std::size_t column, std::int64_t value) const;

  bool classic_, is_difference_;
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
};

}  // namespace malloc_tracer::report
