// SPDX-License-Identifier: MIT
#include "report/html_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "report/printable.hpp"
#include "report/text.hpp"
#include "trace/source_lines.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Counters;
using trace::Line;
using trace::Trace;

constexpr std::size_t kMaxRows = 200, kMaxLargest = 50, kMaxText = 160, kMaxSize = 55'000;

struct Column {
  const char* title;
  std::int64_t Counters::*value;
  bool is_count;
};
constexpr std::array<Column, 4> kColumns = {{{"Live", &Counters::live_bytes, false},
                                             {"Peak", &Counters::peak_bytes, false},
                                             {"Allocated", &Counters::allocated_bytes, false},
                                             {"Count", &Counters::allocated_count, true}}};

class Table {
 public:
  explicit Table(const Trace& trace) : trace_(trace), sources_(trace.sources) {}

  std::string write() {
    summary();
    for (const auto& stretch : trace_.listing.stretches) section(stretch);
    if (rows_ == 0) largest_lines(kMaxRows);
    for (const auto& [reason, count] : trace_.lost) {
      out_ += "<p>Lost: " + std::to_string(count) + ' ' + html_text(reason) + "</p>";
    }
    return "<div>" + out_ + "</div>";
  }

  std::string write_largest() {
    largest_lines(kMaxLargest);
    return "<div>" + out_ + "</div>";
  }

 private:
  void summary() {
    const Counters& sum = trace_.sum;
    out_ += "<p><b>" + html_text(trace_.name) + "</b>" + (trace_.is_difference ? " (change)" : "") +
            ": live " + size(sum.live_bytes) + " in " + number(sum.live_count) + " blocks, peak " +
            size(sum.peak_bytes) + ", allocated " + size(sum.allocated_bytes) + " in " +
            number(sum.allocated_count) + "</p>";
  }

  void section(const trace::Listing::Stretch& stretch) {
    std::map<int, const Line*> lines;
    for (const Line& line : trace_.lines) {
      if (line.file == stretch.file) lines.emplace(line.number, &line);
    }
    if (is_full()) return;
    begin(html_text(stretch.file), "Line");
    std::int64_t left_out = 0;
    for (int at = stretch.first_line; at <= stretch.last_line; ++at) {
      const auto line = lines.find(at);
      const auto text = sources_.line(stretch.file, at);
      if (!text && line == lines.end()) {
        if (lines.upper_bound(at) == lines.end()) break;  // the stretch may be of any length
        continue;
      }
      if (is_full()) {
        left_out = std::int64_t{stretch.last_line} - at + 1;
        break;
      }
      row(std::to_string(at), line != lines.end() ? line->second->self : Counters{},
          text.value_or(""));
    }
    end(left_out);
  }

  // Where there is nothing to list: the lines themselves, by the numbers that are shown.
  void largest_lines(std::size_t most) {
    std::vector<const Line*> lines;
    for (const Line& line : trace_.lines) {
      if (line.self != Counters{}) lines.push_back(&line);
    }
    const auto rank = [](const Line* line) {
      return std::pair(std::abs(line->self.live_bytes), std::abs(line->self.allocated_bytes));
    };
    std::ranges::stable_sort(lines, std::ranges::greater{}, rank);
    begin("Largest lines", "Place");
    for (const Line* line : lines) {
      if (is_full() || rows_ == most) break;
      row(html_text(line->file) + ':' + std::to_string(line->number), line->self,
          sources_.line(line->file, line->number).value_or(line->function.str()));
    }
    end(static_cast<std::int64_t>(lines.size() - rows_));
  }

  bool is_full() const { return rows_ == kMaxRows || out_.size() > kMaxSize; }

  void begin(const std::string& caption, const char* place) {
    out_ +=
        "<table cellpadding=\"4\" "
        "style=\"border-collapse:collapse;font-size:13px;color:inherit\"><caption "
        "align=\"left\" "
        "style=\"text-align:left\">" +
        caption + "</caption><thead><tr><th align=\"right\">" + place + "</th>";
    for (const Column& column : kColumns) {
      out_ += std::string("<th align=\"right\">") + column.title + "</th>";
    }
    out_ += R"(<th align="left" style="text-align:left">Source</th></tr></thead><tbody>)";
  }

  void end(std::int64_t left_out) {
    out_ += "</tbody></table>";
    if (left_out > 0) out_ += "<p>\xe2\x80\xa6 " + number(left_out) + " lines</p>";
  }

  void row(const std::string& place, const Counters& self, std::string_view text) {
    ++rows_;
    out_ += "<tr><td align=\"right\">" + place + "</td>";
    for (const Column& column : kColumns) cell(column, self);
    text = text.substr(0, kMaxText);
    out_ += R"(<td align="left" style="text-align:left"><code style="white-space:pre">)" +
            html_text(text) + "</code></td></tr>";
  }

  void cell(const Column& column, const Counters& self) {
    const std::int64_t value = self.*column.value;
    const double whole = std::abs(static_cast<double>(trace_.sum.*column.value));
    const double share = whole > 0 ? std::abs(static_cast<double>(value)) / whole : 0;
    out_ += "<td align=\"right\" nowrap";
    if (value != 0 && share > 0) {
      const std::string percent = std::to_string(static_cast<int>(100 * std::min(share, 1.0)));
      out_ += " style=\"background:linear-gradient(to left,rgba(63,134,204,.3) " + percent +
              "%,transparent " + percent + "%)\"";
    }
    out_ += '>';
    if (self != Counters{}) out_ += column.is_count ? number(value) : size(value);
    out_ += "</td>";
  }

  std::string size(std::int64_t bytes) const { return sign(bytes) + format_size(std::abs(bytes)); }

  std::string number(std::int64_t count) const {
    std::string text = std::to_string(std::abs(count));
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return sign(count) + text;
  }

  const char* sign(std::int64_t value) const {
    if (value < 0) return "\xe2\x88\x92";  // U+2212
    return trace_.is_difference && value > 0 ? "+" : "";
  }

  const Trace& trace_;
  const trace::SourceLines sources_;
  std::string out_;
  std::size_t rows_ = 0;
};

}  // namespace

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string html_table(const Trace& trace) { return Table(trace).write(); }

std::string html_largest_lines(const Trace& trace) { return Table(trace).write_largest(); }

}  // namespace malloc_tracer::report
