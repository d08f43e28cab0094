// SPDX-License-Identifier: MIT
#include "report/dhat.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "report/call_stack.hpp"
#include "report/json_stream.hpp"

namespace malloc_tracer::report {
namespace {

// The frame table begins with the two that are no frames of the trace.
constexpr trace::Id kNativeFrame = 1;
constexpr trace::Id kFirstFrame = 2;

std::int64_t peak_ns(const trace::Trace& trace) {
  const auto peak =
      std::max_element(trace.timeline.begin(), trace.timeline.end(),
                       [](const auto& a, const auto& b) { return a.live_bytes < b.live_bytes; });
  return peak != trace.timeline.end() ? static_cast<std::int64_t>(peak->ns) : 0;
}

std::string command_line(const trace::Trace& trace) {
  std::string line;
  for (const std::string& word : trace.command) {
    if (!line.empty()) line += ' ';
    line += word;
  }
  return printable(line.empty() ? trace.name : line);
}

void write_point(JsonStream& out, const trace::Tables& tables, trace::Id node,
                 const trace::Counters& self) {
  out.begin('{').key("tb").value(self.allocated_bytes).key("tbk").value(self.allocated_count);
  out.key("tl").value(0).key("mb").value(self.peak_bytes).key("mbk").value(self.peak_count);
  out.key("gb").value(self.peak_bytes).key("gbk").value(self.peak_count);
  out.key("eb").value(self.live_bytes).key("ebk").value(self.live_count).key("fs").begin('[');
  if (node == 0) out.value(kNativeFrame);
  for (trace::Id at = node; at != 0; at = tables.nodes[at].parent) {  // innermost first
    out.value(kFirstFrame + tables.nodes[at].frame);
  }
  out.end(']').end('}');
}

}  // namespace

std::string dhat(const trace::Trace& trace) {
  const trace::Tables tables = trace::tables_of(trace);
  JsonStream out;
  out.begin('{');
  out.key("dhatFileVersion").value(2).key("mode").value("heap").key("verb").value("Allocated");
  out.key("bklt").value(true).key("bkacc").value(false);
  out.key("tu").value("ns").key("Mtu").value("ms").key("tuth").value(0);
  out.key("cmd").value(command_line(trace)).key("pid").value(0);
  out.key("tg").value(peak_ns(trace));
  out.key("te").value(std::max<std::int64_t>(trace.duration_ns, 0));
  out.key("pps").begin('[');
  for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
    const trace::Counters& self = trace.nodes[i].self;
    if (self != trace::Counters{}) write_point(out, tables, static_cast<trace::Id>(i), self);
  }
  out.end(']').key("ftbl").begin('[').value("[root]").value(trace::kNativePlace);
  for (const trace::Tables::FrameRow& frame : tables.frames) out.value(frame_text(tables, frame));
  return out.end(']').end('}').take();
}

}  // namespace malloc_tracer::report
