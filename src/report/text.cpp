// SPDX-License-Identifier: MIT
#include "report/text.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

#include "report/printable.hpp"
#include "report/text_layout.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Line;
using trace::Trace;

struct Row {
  std::string file;
  int number;
  Values values;
  std::string text;
};

struct Table {
  std::string heading;  // what stands above the header, complete lines
  std::vector<Row> rows;
  std::uint64_t numbered_rows = 0;  // rows with a number in them
  Values sum;
};

constexpr const char* kTargetBanner = "<< Target traces >>\n";
constexpr const char* kRelatedBanner = "<< Related traces >>\n";

std::string file_line(std::string_view file) { return "File \"" + printable(file) + "\"\n"; }

bool matches_any(const std::vector<std::string>& patterns, const std::string& file) {
  // Without escapes, as Python's fnmatch: a backslash is an ordinary character.
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), file.c_str(), FNM_NOESCAPE) == 0;
  });
}

int last_line(const Section& section) {
  if (section.text.empty()) return section.last_line;
  return section.first_line + static_cast<int>(section.text.size()) - 1;
}

bool is_in(const Line& line, const Section& section) {
  return line.file == section.file && line.number >= section.first_line &&
         line.number <= last_line(section);
}

std::string without_trailing_blanks(const std::string& text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n\f\v") + 1);
}

class TextReport {
 public:
  TextReport(const Trace& trace, const TextOptions& options)
      : trace_(trace), options_(options), layout_(options.columns, trace.is_difference) {}

  std::string write() {
    std::vector<Table> target;
    for (const Section& section : options_.target) target.push_back(section_table(section));
    const std::vector<Row> related = related_rows();
    std::vector<Table> by_file;
    if (options_.related == Related::kForEachFile) by_file = tables_by_file(related);

    write_target(target);
    for (const Table& table : by_file) write_table(table);
    if (options_.related == Related::kInDescendingOrder) write_ranking(related);
    write_total();
    return std::move(out_);
  }

 private:
  // --- What is shown ---

  Table section_table(const Section& section) {
    std::map<int, const Line*> lines;
    for (const Line& line : trace_.lines) {
      if (is_in(line, section)) lines[line.number] = &line;
    }
    Table table = new_table(file_line(section.file));
    if (section.text.empty()) {
      const std::string colon = section.note.empty() ? "" : ": ";
      table.heading += "(no source" + colon + printable(section.note) + ")\n";
      for (const auto& [number, line] : lines) {
        Values values = layout_.values(*line);
        if (any(values)) add_row(table, {section.file, number, std::move(values), ""});
      }
    }
    for (std::size_t i = 0; i < section.text.size(); ++i) {
      const int number = section.first_line + static_cast<int>(i);
      const auto line = lines.find(number);
      Values values = layout_.values(line != lines.end() ? *line->second : Line{});
      add_row(table, {section.file, number, std::move(values), section.text[i]});
    }
    layout_.fit(table.sum);
    return table;
  }

  bool is_related(const Line& line) const {
    return std::none_of(options_.target.begin(), options_.target.end(),
                        [&](const Section& section) { return is_in(line, section); }) &&
           (options_.include.empty() || matches_any(options_.include, line.file)) &&
           !matches_any(options_.exclude, line.file);
  }

  std::vector<Row> related_rows() {
    std::vector<Row> rows;
    if (options_.related == Related::kNone) return rows;
    for (const Line& line : trace_.lines) {
      Values values = layout_.values(line);
      if (!any(values) || !is_related(line)) continue;
      layout_.fit(values);
      rows.push_back({line.file, line.number, std::move(values), related_text(line)});
    }
    const bool by_size = options_.related == Related::kInDescendingOrder;
    std::sort(rows.begin(), rows.end(), [by_size](const Row& a, const Row& b) {
      const bool a_native = a.file == trace::kNativePlace, b_native = b.file == trace::kNativePlace;
      if (a_native != b_native) return b_native;
      if (by_size && a.values != b.values) return a.values > b.values;
      return std::tie(a.file, a.number) < std::tie(b.file, b.number);
    });
    return rows;
  }

  std::string related_text(const Line& line) const {
    if (!options_.source || line.file == trace::kNativePlace) return "";
    return without_trailing_blanks(options_.source(line.file, line.number));
  }

  std::vector<Table> tables_by_file(const std::vector<Row>& rows) {
    std::vector<Table> tables;
    for (const Row& row : rows) {
      if (tables.empty() || tables.back().rows.front().file != row.file) {
        tables.push_back(new_table(kRelatedBanner + file_line(row.file)));
      }
      add_row(tables.back(), row);
      layout_.fit(tables.back().sum);
    }
    return tables;
  }

  Table new_table(std::string heading) const {
    return {std::move(heading), {}, 0, layout_.values(Line{})};
  }

  void add_row(Table& table, Row row) {
    table.numbered_rows += any(row.values) ? 1 : 0;
    add(table.sum, row.values);
    layout_.fit(row.values);
    table.rows.push_back(std::move(row));
  }

  // --- How it is written ---

  void write_target(const std::vector<Table>& tables) {
    out_ += kTargetBanner;
    for (const Table& table : tables) write_table(table);
    if (!tables.empty()) return;
    out_ += '(' + (options_.note.empty() ? "no source" : printable(options_.note)) + ")\n\n";
  }

  void write_table(const Table& table) {
    out_ += table.heading + layout_.header() + TextLayout::rule('=');
    for (const Row& row : table.rows) write_row(row);
    out_ += TextLayout::rule('-') + layout_.footer(table.numbered_rows, table.sum) + '\n';
  }

  void write_row(const Row& row) {
    out_ += layout_.row(row.number, row.values, printable(row.text));
  }

  // One table of all related lines, each below a head that names its file.
  void write_ranking(const std::vector<Row>& rows) {
    if (rows.empty()) return;
    out_ += kRelatedBanner + layout_.header() + TextLayout::rule('=');
    std::uint64_t rank = 0;
    for (const Row& row : rows) {
      out_ += layout_.head(++rank, printable(row.file), row.values);
      write_row(row);
      out_ += '\n';
    }
  }

  void write_total() {
    const std::int64_t live_bytes = trace_.sum.live_bytes;
    const char* const sign = trace_.is_difference && live_bytes > 0 ? "+" : "";
    out_ += "Total allocated size: " + (sign + format_size(live_bytes)) + " (raw " +
            std::to_string(live_bytes) + " B)\n";
    for (const auto& [reason, count] : trace_.lost) {
      out_ += "Lost: " + std::to_string(count) + ' ' + printable(reason) + '\n';
    }
  }

  const Trace& trace_;
  const TextOptions& options_;
  TextLayout layout_;
  std::string out_;
};

}  // namespace

std::string text_report(const Trace& trace, const TextOptions& options) {
  return TextReport(trace, options).write();
}

}  // namespace malloc_tracer::report
