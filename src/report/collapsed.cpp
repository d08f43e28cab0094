// SPDX-License-Identifier: MIT
#include "report/collapsed.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "report/call_stack.hpp"

namespace malloc_tracer::report {
namespace {

std::vector<std::string> frame_texts(const trace::Tables& tables) {
  std::vector<std::string> texts;
  for (const trace::Tables::FrameRow& frame : tables.frames) {
    std::string text = frame_text(tables, frame);
    std::replace(text.begin(), text.end(), ';', ':');
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace

std::string collapsed(const trace::Trace& trace) {
  const trace::Tables tables = trace::tables_of(trace);
  const std::vector<std::string> frames = frame_texts(tables);
  std::string out, path;
  const auto write = [&](const std::string& stack, const trace::Node& node) {
    if (node.self.peak_bytes > 0) out += stack + ' ' + std::to_string(node.self.peak_bytes) + '\n';
  };
  if (trace.nodes.empty()) return out;
  write(std::string(trace::kNativePlace), trace.nodes[0]);
  // Depth first, so that the text of a path is that of its parent and one frame.
  std::vector<std::pair<trace::Id, std::size_t>> left;  // node, length of its parent's path
  const auto visit_children = [&](const trace::Node& node) {
    const auto first = static_cast<std::ptrdiff_t>(left.size());
    for (const trace::Id child : node.children) left.emplace_back(child, path.size());
    std::reverse(left.begin() + first, left.end());
  };
  visit_children(trace.nodes[0]);
  while (!left.empty()) {
    const auto [id, length] = left.back();
    left.pop_back();
    path.resize(length);
    if (length != 0) path += ';';
    path += frames[tables.nodes[id].frame];
    write(path, trace.nodes[id]);
    visit_children(trace.nodes[id]);
  }
  return out;
}

}  // namespace malloc_tracer::report
