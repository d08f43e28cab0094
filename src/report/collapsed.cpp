// SPDX-License-Identifier: MIT
#include "report/collapsed.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "report/call_stack.hpp"

namespace malloc_tracer::report {

// Depth first, so that the text of a path is that of its parent and one frame.
std::string collapsed(const trace::Trace& trace, const ReportOptions&) {
  std::string out, path;
  std::vector<std::pair<std::uint32_t, std::size_t>> left = {
      {0, 0}};  // node, length of its parent's path
  while (!left.empty()) {
    const auto [id, length] = left.back();
    left.pop_back();
    const trace::Node& node = trace.nodes[id];
    path.resize(length);
    if (id != 0 || node.children.empty() || node.self.peak_bytes > 0) {
      std::string frame = frame_text(node);
      std::replace(frame.begin(), frame.end(), ';', ':');
      if (length != 0) path += ';';
      path += frame;
    }
    if (node.self.peak_bytes > 0) out += path + ' ' + std::to_string(node.self.peak_bytes) + '\n';
    if (id == 0) path.clear();
    for (auto child = node.children.rbegin(); child != node.children.rend(); ++child)
      left.emplace_back(*child, path.size());
  }
  return out;
}

}  // namespace malloc_tracer::report
