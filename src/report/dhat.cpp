// SPDX-License-Identifier: MIT
#include "report/dhat.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "report/call_stack.hpp"
#include "report/json_writer.hpp"

namespace malloc_tracer::report {
namespace {

std::int64_t peak_ns(const trace::Trace& trace) {
  const auto peak =
      std::max_element(trace.timeline.begin(), trace.timeline.end(),
                       [](const auto& a, const auto& b) { return a.live_bytes < b.live_bytes; });
  return peak != trace.timeline.end() ? peak->ns : 0;
}

}  // namespace

std::string dhat(const trace::Trace& trace, const ReportOptions&) {
  const FrameIds frames(trace);
  JsonWriter out;
  out.begin('{');
  out.key("dhatFileVersion").number(2).key("mode").text("heap").key("verb").text("Allocated");
  out.key("bklt").boolean(true).key("bkacc").boolean(false);
  out.key("tu").text("ns").key("Mtu").text("ms").key("tuth").number(0);
  out.key("cmd").text(printable(trace.command.empty() ? trace.name : trace.command));
  out.key("pid").number(0);
  out.key("tg")
      .number(peak_ns(trace))
      .key("te")
      .number(std::max<std::int64_t>(trace.duration_ns, 0));
  out.key("pps").begin('[');
  for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
    const trace::Counters& n = trace.nodes[i].self;
    if (n == trace::Counters{}) continue;
    out.begin('{').key("tb").number(n.allocated_bytes).key("tbk").number(n.allocated_count);
    out.key("tl").number(0).key("mb").number(n.peak_bytes).key("mbk").number(n.peak_count);
    out.key("gb").number(n.peak_bytes).key("gbk").number(n.peak_count);
    out.key("eb").number(n.live_bytes).key("ebk").number(n.live_count).key("fs").begin('[');
    auto at = static_cast<std::uint32_t>(i);
    do {  // innermost first; frame 0 of the table is the root's own
      out.number(frames.of_node[at] + 1);
      at = trace.nodes[at].parent;
    } while (at != 0);
    out.end(']').end('}');
  }
  out.end(']').key("ftbl").begin('[').text("[root]");
  for (const std::uint32_t node : frames.first_node) out.text(frame_text(trace.nodes[node]));
  return out.end(']').end('}').take();
}

}  // namespace malloc_tracer::report
