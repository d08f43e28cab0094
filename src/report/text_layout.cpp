// SPDX-License-Identifier: MIT
#include "report/text_layout.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace malloc_tracer::report {
namespace {

using trace::Line;

constexpr std::size_t kNumberWidth = 6, kSizeWidth = 10, kCountWidth = 8, kRuleWidth = 104;
constexpr std::string_view kGap = "    ";

struct ColumnFacts {
  std::string_view title;
  std::string_view name;  // as in api.md
  bool is_count;
  std::int64_t (*value)(const Line&);
};

// In the order of `Column`.
constexpr std::array<ColumnFacts, 8> kColumns = {{
    {"Size", "size", false, [](const Line& line) { return line.self.live_bytes; }},
    {"Live", "live", false, [](const Line& line) { return line.self.live_bytes; }},
    {"Peak", "peak", false, [](const Line& line) { return line.self.peak_bytes; }},
    {"Allocated", "allocated", false, [](const Line& line) { return line.self.allocated_bytes; }},
    {"Count", "count", true, [](const Line& line) { return line.self.allocated_count; }},
    {"Temp", "temporary", true, [](const Line& line) { return line.self.temporary_count; }},
    {"Freed", "freed", false, [](const Line& line) { return line.self.freed_bytes; }},
    {"Total", "total", false, [](const Line& line) { return line.total.live_bytes; }},
}};

const ColumnFacts& facts(Column column) { return kColumns[static_cast<std::size_t>(column)]; }

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string with_thousands(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first_digit = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first_digit + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string raw(std::int64_t bytes) { return std::to_string(bytes) + " B"; }

}  // namespace

// By to_chars: printf would write the locale's decimal point.
std::string format_size(std::int64_t bytes) {
  if (std::abs(bytes) < 1024) return raw(bytes);
  constexpr std::array<const char*, 4> kUnits = {" KiB", " MiB", " GiB", " TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; std::abs(value) >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> digits;
  const auto [end, error] =
      std::to_chars(digits.begin(), digits.end(), value, std::chars_format::fixed, 1);
  return std::string(digits.begin(), end) + kUnits[unit];
}

bool any(const Values& values) {
  return std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value != 0; });
}

void add(Values& sum, const Values& values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

TextLayout::TextLayout(const std::vector<Column>& columns, bool is_difference)
    : classic_(columns.empty() || columns == std::vector{Column::kSize}),
      is_difference_(is_difference),
      columns_(classic_ ? std::vector{Column::kSize} : columns) {
  for (const Column column : columns_) {
    const std::size_t least = facts(column).is_count ? kCountWidth : kSizeWidth;
    widths_.push_back(std::max(least, facts(column).title.size()));
  }
}

Values TextLayout::values(const Line& line) const {
  Values values;
  for (const Column column : columns_) values.push_back(facts(column).value(line));
  return values;
}

void TextLayout::fit(const Values& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    widths_[i] = std::max(widths_[i], cell(i, values[i]).size());
  }
}

std::string TextLayout::header() const {
  if (classic_) return "Line #    Size          Line Contents\n";
  std::string text = "Line #";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    text += right(std::string(facts(columns_[i]).title), 2 + widths_[i]);
  }
  return text.append(kGap) + "Line Contents\n";
}

std::string TextLayout::cell(std::size_t column, std::int64_t value) const {
  const char* const sign = is_difference_ && value > 0 ? "+" : "";
  return sign + (facts(columns_[column]).is_count ? with_thousands(value) : format_size(value));
}

std::string TextLayout::cells(const Values& values) const {
  // 1.7 lines up the numbers, not the units: "B" takes as much room as "KiB".
  if (classic_) {
    const char* const unit_gap = std::abs(values[0]) < 1024 ? "  " : "";
    return std::string(kGap) + right(cell(0, values[0]) + unit_gap, kSizeWidth);
  }
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    text += right(cell(i, values[i]), 2 + widths_[i]);
  }
  return text;
}

std::string TextLayout::row(int number, const Values& values, std::string_view text) const {
  std::string line = right(std::to_string(number), kNumberWidth);
  if (any(values)) {
    line += cells(values);
  } else {
    line.append(cells(Values(columns_.size())).size(), ' ');
  }
  return line.append(kGap).append(text) + '\n';
}

std::string TextLayout::footer(std::uint64_t row_count, const Values& sum) const {
  std::string line = right(std::to_string(row_count), kNumberWidth) + cells(sum);
  if (classic_) line += " (raw " + raw(sum[0]) + ')';
  return line + '\n';
}

std::string TextLayout::head(std::uint64_t rank, std::string_view file,
                             const Values& values) const {
  std::string line = '#' + std::to_string(rank) + " \"" + std::string(file) + "\": (";
  if (classic_) return line + "raw " + raw(values[0]) + ")\n";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const ColumnFacts& column = facts(columns_[i]);
    line.append(i == 0 ? "" : ", ").append(column.name) += ' ';
    line += column.is_count ? with_thousands(values[i]) : raw(values[i]);
  }
  return line + ")\n";
}

std::string TextLayout::rule(char c) { return std::string(kRuleWidth, c) + '\n'; }

}  // namespace malloc_tracer::report
