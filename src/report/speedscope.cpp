// SPDX-License-Identifier: MIT
#include "report/speedscope.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "report/call_stack.hpp"
#include "report/json_writer.hpp"
#include "report/numbers.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Trace;

class Speedscope {
 public:
  explicit Speedscope(const Trace& trace) : trace_(trace), frames_(trace) {}

  std::string write() {
    out_.begin('{');
    out_.key("$schema").text("https://www.speedscope.app/file-format-schema.json");
    out_.key("exporter").text("malloc_tracer");
    out_.key("name").text(printable(trace_.name));
    out_.key("activeProfileIndex").number(0);
    out_.key("shared").begin('{').key("frames").begin('[');
    for (const std::uint32_t id : frames_.first_node) {
      const trace::Node& node = trace_.nodes[id];
      out_.begin('{').key("name").text(printable(function_name(node)));
      if (!node.frame.file.empty()) out_.key("file").text(printable(node.frame.file));
      if (node.frame.line > 0) out_.key("line").number(node.frame.line);
      out_.end('}');
    }
    out_.end(']').end('}').key("profiles").begin('[');
    bool any = false;
    for (const NumberFacts& number : kNumbers) any = write_profile(number, false) || any;
    if (!any) write_profile(kNumbers.front(), true);
    return out_.end(']').end('}').take();
  }

 private:
  // Opens and closes frames at running sums, so that a node takes two events whatever its depth.
  bool write_profile(const NumberFacts& number, bool even_if_empty) {
    std::vector<std::int64_t> totals(trace_.nodes.size());
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      totals[i] += std::max<std::int64_t>(trace_.nodes[i].self.*number.value, 0);
      if (i != 0) totals[trace_.nodes[i].parent] += totals[i];
    }
    if (totals[0] == 0 && !even_if_empty) return false;
    out_.begin('{').key("type").text("evented").key("name").text(number.title);
    out_.key("unit").text(number.unit == "bytes" ? "bytes" : "none");
    out_.key("startValue").number(0).key("endValue").number(totals[0]);
    out_.key("events").begin('[');
    std::int64_t at = 0;
    const std::int64_t native = std::max<std::int64_t>(trace_.nodes[0].self.*number.value, 0);
    if (native > 0) {
      event('O', 0, at);
      event('C', 0, at += native);
    }
    std::vector<std::pair<std::uint32_t, std::size_t>> path = {{0, 0}};  // node, children done
    while (!path.empty()) {
      auto& [id, done] = path.back();
      if (done < trace_.nodes[id].children.size()) {
        const std::uint32_t child = trace_.nodes[id].children[done++];
        if (totals[child] == 0) continue;
        event('O', child, at);
        at += std::max<std::int64_t>(trace_.nodes[child].self.*number.value, 0);
        path.emplace_back(child, 0);
        continue;
      }
      if (id != 0) event('C', id, at);
      path.pop_back();
    }
    out_.end(']').end('}');
    return true;
  }

  void event(char type, std::uint32_t node, std::int64_t at) {
    out_.begin('{').key("type").text({&type, 1}).key("frame").number(frames_.of_node[node]);
    out_.key("at").number(at).end('}');
  }

  const Trace& trace_;
  const FrameIds frames_;
  JsonWriter out_;
};

}  // namespace

std::string speedscope(const Trace& trace, const ReportOptions&) {
  return Speedscope(trace).write();
}

}  // namespace malloc_tracer::report
