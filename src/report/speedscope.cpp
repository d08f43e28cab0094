// SPDX-License-Identifier: MIT
#include "report/speedscope.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "report/json_stream.hpp"
#include "report/printable.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Id;
using trace::Number;
using trace::Trace;

class Speedscope {
 public:
  explicit Speedscope(const Trace& trace) : trace_(trace), tables_(trace::tables_of(trace)) {
    depths_.resize(trace.nodes.size());
    for (std::size_t i = 1; i < depths_.size(); ++i)
      depths_[i] = depths_[trace.nodes[i].parent] + 1;
  }

  std::string write() {
    const auto peak = std::find_if(
        std::begin(trace::kNumbers), std::end(trace::kNumbers),
        [](const Number& number) { return number.value == &trace::Counters::peak_bytes; });
    out_.begin('{');
    out_.key("$schema").value("https://www.speedscope.app/file-format-schema.json");
    out_.key("exporter").value("malloc_tracer");
    out_.key("name").value(printable(trace_.name));
    out_.key("activeProfileIndex").value(peak - std::begin(trace::kNumbers));
    write_frames();
    out_.key("profiles").begin('[');
    for (const Number& number : trace::kNumbers) write_profile(number);
    return out_.end(']').end('}').take();
  }

 private:
  // Frame 0 is that of blocks without a frame; frame i of the trace is frame i + 1.
  void write_frames() {
    out_.key("shared").begin('{').key("frames").begin('[');
    out_.begin('{').key("name").value(trace::kNativePlace).end('}');
    for (const trace::Tables::FrameRow& frame : tables_.frames) {
      const trace::Tables::FunctionRow& function = tables_.functions[frame.function];
      out_.begin('{').key("name").value(printable(function.name));
      out_.key("file").value(printable(tables_.files[function.file].name));
      if (frame.line > 0) out_.key("line").value(frame.line);
      out_.end('}');
    }
    out_.end(']').end('}');
  }

  std::int64_t width(std::size_t node, const Number& number) const {
    return std::max<std::int64_t>(trace_.nodes[node].self.*number.value, 0);
  }

  std::vector<std::int64_t> total_widths(const Number& number) const {
    std::vector<std::int64_t> totals(trace_.nodes.size());
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      totals[i] += width(i, number);
      if (i != 0) totals[trace_.nodes[i].parent] += totals[i];
    }
    return totals;
  }

  void write_profile(const Number& number) {
    const std::vector<std::int64_t> totals = total_widths(number);
    const bool is_sampled = are_samples_smaller(number, totals);
    out_.begin('{').key("type").value(is_sampled ? "sampled" : "evented");
    out_.key("name").value(number.name);
    out_.key("unit").value(number.name.ends_with("_bytes") ? "bytes" : "none");
    out_.key("startValue").value(0).key("endValue").value(totals.empty() ? 0 : totals[0]);
    if (is_sampled) {
      write_samples(number);
    } else {
      out_.key("events").begin('[');
      if (!totals.empty()) write_events(number, totals);
      out_.end(']');
    }
    out_.end('}');
  }

  // A sample has all the frames of its node; an event names one, but takes six times the room of a
  // frame in a sample, and a node has two.
  bool are_samples_smaller(const Number& number, const std::vector<std::int64_t>& totals) const {
    std::size_t sample_frames = 0, event_count = 0;
    for (std::size_t i = 0; i < totals.size(); ++i) {
      if (totals[i] != 0) event_count += 2;
      if (width(i, number) != 0) sample_frames += depths_[i] + 2;  // and the weight
    }
    return sample_frames < 6 * event_count;
  }

  // Depth first, as the tree is drawn.
  void write_samples(const Number& number) {
    std::vector<std::int64_t> weights;
    std::vector<Id> left = {0}, stack;
    out_.key("samples").begin('[');
    while (!left.empty()) {
      const Id id = left.back();
      left.pop_back();
      const auto& children = trace_.nodes[id].children;
      left.insert(left.end(), children.rbegin(), children.rend());
      stack.resize(depths_[id]);
      if (id != 0) stack[depths_[id] - 1] = tables_.nodes[id].frame + 1;
      if (width(id, number) == 0) continue;
      weights.push_back(width(id, number));
      out_.begin('[');
      if (id == 0) out_.value(0);
      for (const Id frame : stack) out_.value(frame);
      out_.end(']');
    }
    out_.end(']').key("weights").begin('[');
    for (const std::int64_t weight : weights) out_.value(weight);
    out_.end(']');
  }

  // Opens and closes frames at running sums, so that a node takes two events whatever its depth.
  void write_events(const Number& number, const std::vector<std::int64_t>& totals) {
    std::int64_t at = width(0, number);
    if (at != 0) {
      write_event('O', 0, 0);
      write_event('C', 0, at);
    }
    std::vector<std::pair<Id, std::size_t>> path = {{0, 0}};  // node, children already walked
    while (!path.empty()) {
      auto& [id, walked] = path.back();
      if (walked < trace_.nodes[id].children.size()) {
        const Id child = trace_.nodes[id].children[walked++];
        if (totals[child] == 0) continue;
        write_event('O', tables_.nodes[child].frame + 1, at);
        at += width(child, number);
        path.emplace_back(child, 0);
        continue;
      }
      if (id != 0) write_event('C', tables_.nodes[id].frame + 1, at);
      path.pop_back();
    }
  }

  void write_event(char type, Id frame, std::int64_t at) {
    out_.begin('{').key("type").value(std::string_view(&type, 1)).key("frame").value(frame);
    out_.key("at").value(at).end('}');
  }

  const Trace& trace_;
  const trace::Tables tables_;
  std::vector<std::uint32_t> depths_;  // by node; the root's is 0
  JsonStream out_;
};

}  // namespace

std::string speedscope(const Trace& trace) { return Speedscope(trace).write(); }

}  // namespace malloc_tracer::report
