// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/json.hpp"
#include "report/json_format.hpp"
#include "report/json_stream.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Id;
using trace::Row;
using trace::Tables;
using trace::Trace;

enum class Reader { kAny, kPage };

class Writer {
 public:
  Writer(const Trace& trace, Reader reader)
      : trace_(trace), reader_(reader), tables_(trace::tables_of(trace)) {
    // A node without numbers has a row too: so a file is never small for what it describes.
    rows_.reserve(tables_.rows.size() + tables_.nodes.size());
    auto next = tables_.rows.begin();
    for (Id node = 0; node < tables_.nodes.size(); ++node) {
      const auto first = next;
      while (next != tables_.rows.end() && next->node == node) rows_.push_back(*next++);
      if (next == first && node != 0) rows_.push_back({node, 0, 0, false, {}});
    }
    if (tables_.threads.empty() &&
        !rows_.empty()) {  // nothing but zeros, which must name something
      tables_.threads.push_back({});
      tables_.allocators.emplace_back("malloc");
    }
  }

  std::string write() {
    out_.reserve(4096 + 64 * rows_.size());
    out_.begin('{');
    member("format", reader_ == Reader::kPage ? kPageFormatName : kFormatName);
    member("version", kVersion);
    member("writer", "malloc_tracer " MALLOC_TRACER_VERSION);
    member("name", trace_.name);
    member("difference", trace_.is_difference);
    member("python_version", trace_.python_version);
    texts("command", trace_.command);
    member("time_ms", trace_.time_ms);
    member("duration_ns", trace_.duration_ns);
    open("sum");
    for (const trace::Number& number : trace::kNumbers)
      member(number.name, trace_.sum.*number.value);
    close();
    write_tables();
    write_sources();
    // Last, since the tables have filled it.
    column("strings", strings_, [](std::string_view text) { return text; });
    return out_.end('}').take() + '\n';
  }

 private:
  void write_tables() {
    table("threads", tables_.threads,
          Column{"name", [&](const auto& row) { return string(row.name); }},
          Column{"id", [](const auto& row) { return row.id; }});
    table("allocators", tables_.allocators,
          Column{"name", [&](const auto& name) { return string(name); }});
    table("files", tables_.files, Column{"name", [&](const auto& row) { return string(row.name); }},
          Column{"kind", [](const auto& row) { return trace::kind_name(row.kind); }});
    table("functions", tables_.functions,
          Column{"name", [&](const auto& row) { return string(row.name); }},
          Column{"file", [](const auto& row) { return row.file; }});
    table("frames", tables_.frames,
          Column{"function", [](const auto& row) { return row.function; }},
          Column{"line", [](const auto& row) { return row.line; }});
    open("nodes");
    rising("parent", tables_.nodes, [](const auto& row) { return row.parent; });
    column("frame", tables_.nodes, [&](const auto& row) {
      return &row == tables_.nodes.data() ? -1 : static_cast<std::int64_t>(row.frame);
    });
    close();
    write_rows();
    table("timeline", trace_.timeline, Column{"ns", [](const auto& point) { return point.ns; }},
          Column{"live_bytes", [](const auto& point) { return point.live_bytes; }});
    column("block_sizes", trace_.block_sizes, [](std::int64_t count) { return count; });
    table("lost", trace_.lost,
          Column{"reason", [&](const auto& entry) { return string(entry.first); }},
          Column{"count", [](const auto& entry) { return entry.second; }});
  }

  void write_rows() {
    open("rows");
    rising("node", rows_, [](const Row& row) { return row.node; });
    column("thread", rows_, [](const Row& row) { return row.thread; });
    column("allocator", rows_, [](const Row& row) { return row.allocator; });
    for (const trace::Number& number : trace::kNumbers) {
      column(number.name, rows_, [&](const Row& row) { return row.self.*number.value; });
    }
    if (trace_.is_difference) {
      column("earlier", rows_, [](const Row& row) { return row.is_earlier ? 1 : 0; });
    }
    close();
  }

  void write_sources() {
    open("sources");
    column("file", trace_.sources, [&](const auto& row) { return string(row.file); });
    column("first_line", trace_.sources, [](const auto& row) { return row.first_line; });
    column("text", trace_.sources, [](const auto& row) { return std::string_view(row.text); });
    if (trace_.is_difference) {
      column("earlier", trace_.sources, [](const auto& row) { return row.is_earlier ? 1 : 0; });
    }
    close();
    const trace::Listing& listing = trace_.listing;
    open("listing");
    column("file", listing.stretches, [&](const auto& row) { return string(row.file); });
    column("first_line", listing.stretches, [](const auto& row) { return row.first_line; });
    column("last_line", listing.stretches, [](const auto& row) { return row.last_line; });
    column("note", listing.stretches, [](const auto& row) { return std::string_view(row.note); });
    member("empty_note", listing.empty_note);
    member("related", kRelatedNames[static_cast<std::size_t>(listing.related)]);
    texts("include", listing.include);
    texts("exclude", listing.exclude);
    close();
  }

  template <class Value>
  struct Column {
    Column(std::string_view column_name, Value column_value)
        : name(column_name), value(std::move(column_value)) {}
    std::string_view name;
    Value value;
  };

  template <class Rows, class... Values>
  void table(std::string_view name, const Rows& rows, const Column<Values>&... columns) {
    open(name);
    (column(columns.name, rows, columns.value), ...);
    close();
  }

  template <class Rows, class Value>
  void column(std::string_view name, const Rows& rows, Value value) {
    out_.key(name).begin('[');
    for (const auto& row : rows) out_.value(value(row));
    out_.end(']');
  }

  template <class Rows, class Value>
  void rising(std::string_view name, const Rows& rows, Value value) {
    std::int64_t before = 0;
    column(name, rows, [&](const auto& row) {
      const std::int64_t now = value(row), step = now - before;
      if (reader_ == Reader::kPage) before = now;
      return step;
    });
  }

  void texts(std::string_view name, const std::vector<std::string>& list) {
    column(name, list, [](const std::string& text) { return std::string_view(text); });
  }

  void open(std::string_view name) { out_.key(name).begin('{'); }
  void close() { out_.end('}'); }

  template <class Value>
  void member(std::string_view name, const Value& value) {
    out_.key(name).value(value);
  }

  Id string(std::string_view text) {
    const auto [id, is_new] = string_ids_.insert(text);
    if (is_new) strings_.push_back(text);
    return id;
  }

  const Trace& trace_;
  Reader reader_;
  Tables tables_;
  std::vector<Row> rows_;
  trace::StringIds string_ids_;
  std::vector<std::string_view> strings_;
  JsonStream out_;
};

}  // namespace

std::string json_report(const Trace& trace) { return Writer(trace, Reader::kAny).write(); }

std::string json_for_page(const Trace& trace) { return Writer(trace, Reader::kPage).write(); }

}  // namespace malloc_tracer::report
