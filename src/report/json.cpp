// SPDX-License-Identifier: MIT
#include "report/json.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <vector>

#include "report/json_writer.hpp"
#include "report/numbers.hpp"
#include "trace/places.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Trace;

class Json {
 public:
  Json(const Trace& trace, const ReportOptions& options) : trace_(trace), options_(options) {
    ids_.reserve(trace.nodes.size());
    ids_.push_back(0);
    for (std::size_t i = 1; i < trace.nodes.size(); ++i) {
      const trace::Frame& frame = trace.nodes[i].frame;
      const auto code = places_.intern(frame.function, frame.file, frame.kind);
      const auto [id, is_new] = frames_.insert(code.function, static_cast<trace::Id>(frame.line));
      if (is_new) frame_list_.push_back({code.function, frame.line});
      ids_.push_back(id);
      if (code.function == file_of_function_.size()) file_of_function_.push_back(code.file);
    }
  }

  std::string write() {
    out_.begin('{');
    write_facts();
    write_tables();
    write_nodes();
    write_flat("threads", trace_.threads, [this] {
      column("id", trace_.threads, [](const trace::Thread& t) { return t.id; });
    });
    write_flat("allocators", trace_.allocators, [] {});
    write_listing();
    write_sources();
    out_.end('}');
    return out_.take();
  }

 private:
  void write_facts() {
    out_.key("format").text(kJsonFormat);
    out_.key("version").number(kJsonVersion);
    out_.key("name").text(trace_.name);
    out_.key("python_version").text(trace_.python_version);
    out_.key("command").text(trace_.command);
    out_.key("time").number(trace_.time_s);
    out_.key("duration_ns").number(trace_.duration_ns);
    out_.key("is_difference").boolean(trace_.is_difference);
    out_.key("totals").begin('{');
    for (const NumberFacts& number : kNumbers)
      out_.key(number.name).number(trace_.sum.*number.value);
    out_.end('}');
    out_.key("lost").begin('{');
    for (const auto& [reason, count] : trace_.lost) out_.key(reason).number(count);
    out_.end('}');
    out_.key("timeline").begin('{');
    column("ns", trace_.timeline, [](const trace::TimelinePoint& p) { return p.ns; });
    column("live_bytes", trace_.timeline,
           [](const trace::TimelinePoint& p) { return p.live_bytes; });
    out_.end('}');
  }

  void write_tables() {
    out_.key("files").begin('{');
    texts("name", places_.files, [](const trace::File& f) { return std::string_view(f.name); });
    texts("kind", places_.files, [](const trace::File& f) { return trace::kind_name(f.kind); });
    out_.end('}');
    out_.key("functions").begin('{');
    texts("name", places_.functions,
          [](const trace::Function& f) { return std::string_view(f.name); });
    column("file", file_of_function_, [](trace::Id file) { return file; });
    out_.end('}');
    out_.key("frames").begin('{');
    column("function", frame_list_, [](const FrameIds& f) { return f.function; });
    column("line", frame_list_, [](const FrameIds& f) { return f.line; });
    out_.end('}');
  }

  void write_nodes() {
    out_.key("nodes").begin('{');
    out_.key("parent").begin('[');
    for (std::size_t i = 0; i < trace_.nodes.size(); ++i) {
      if (i == 0)
        out_.number(-1);
      else
        out_.number(trace_.nodes[i].parent);
    }
    out_.end(']');
    out_.key("frame").begin('[');
    for (std::size_t i = 0; i < trace_.nodes.size(); ++i) {
      if (i == 0)
        out_.number(-1);
      else
        out_.number(ids_[i]);
    }
    out_.end(']');
    counters(trace_.nodes);
    out_.end('}');
  }

  template <class Places, class Rest>
  void write_flat(std::string_view name, const Places& places, Rest rest) {
    out_.key(name).begin('{');
    texts("name", places, [](const auto& place) { return std::string_view(place.name); });
    rest();
    counters(places);
    out_.end('}');
  }

  void write_listing() {
    static constexpr std::string_view kRelated[] = {"none", "for_each_file", "in_descending_order"};
    out_.key("listing").begin('{');
    out_.key("note").text(options_.note);
    out_.key("related").text(kRelated[static_cast<std::size_t>(options_.related)]);
    list("include", options_.include);
    list("exclude", options_.exclude);
    out_.key("sections").begin('[');
    for (const Section& section : options_.target) {
      out_.begin('{');
      out_.key("file").text(section.file);
      out_.key("first_line").number(section.first_line);
      out_.key("last_line")
          .number(section.text.empty()
                      ? section.last_line
                      : section.first_line + static_cast<int>(section.text.size()) - 1);
      out_.key("note").text(section.note);
      if (options_.source) list("text", section.text);
      out_.end('}');
    }
    out_.end(']').end('}');
  }

  void write_sources() {
    out_.key("sources").begin('{');
    if (options_.source) {
      for (const trace::File& file : places_.files) {
        const std::vector<std::string> lines = options_.source(file.name);
        if (!lines.empty()) list(file.name, lines);
      }
    }
    out_.end('}');
  }

  template <class Items, class Get>
  void column(std::string_view name, const Items& items, Get get) {
    out_.key(name).begin('[');
    for (const auto& item : items) out_.number(get(item));
    out_.end(']');
  }
  template <class Items, class Get>
  void texts(std::string_view name, const Items& items, Get get) {
    out_.key(name).begin('[');
    for (const auto& item : items) out_.text(get(item));
    out_.end(']');
  }
  template <class Items>
  void counters(const Items& items) {
    for (const NumberFacts& number : kNumbers)
      column(number.name, items, [&](const auto& item) { return item.self.*number.value; });
  }
  void list(std::string_view name, const std::vector<std::string>& items) {
    texts(name, items, [](const std::string& item) { return std::string_view(item); });
  }

  struct FrameIds {
    trace::Id function;
    int line;
  };

  const Trace& trace_;
  const ReportOptions& options_;
  JsonWriter out_;
  trace::Places places_;
  trace::PairIds frames_;
  std::vector<trace::Id> ids_;  // by node: its frame
  std::vector<FrameIds> frame_list_;
  std::vector<trace::Id> file_of_function_;
};

}  // namespace

std::string json(const Trace& trace, const ReportOptions& options) {
  return Json(trace, options).write();
}

}  // namespace malloc_tracer::report
