// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/printable.hpp"
#include "trace/ids.hpp"
#include "trace/trace.hpp"

// Frames for the formats of other viewers.
namespace malloc_tracer::report {

// What has no Python frame stands as one frame of this name.
inline std::string_view function_name(const trace::Node& node) {
  return node.frame.function.empty() ? trace::kNativePlace : std::string_view(node.frame.function);
}

// "function (file:line)" on one line.
inline std::string frame_text(const trace::Node& node) {
  if (node.frame.function.empty()) return std::string(trace::kNativePlace);
  return printable(node.frame.function) + " (" + printable(node.frame.file) + ':' +
         std::to_string(node.frame.line) + ')';
}

// The distinct frames of a call tree, numbered.
class FrameIds {
 public:
  explicit FrameIds(const trace::Trace& trace) {
    trace::StringIds names;
    trace::PairIds functions, frames;
    for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
      const trace::Frame& frame = trace.nodes[i].frame;
      const trace::Id function =
          functions.insert(names.insert(frame.function).first, names.insert(frame.file).first)
              .first;
      const auto [id, is_new] = frames.insert(function, static_cast<std::uint32_t>(frame.line));
      if (is_new) first_node.push_back(static_cast<std::uint32_t>(i));
      of_node.push_back(id);
      if (is_new) function_of.push_back(function);
    }
  }

  std::vector<std::uint32_t> of_node;      // by node: its frame; the root's is frame 0
  std::vector<std::uint32_t> first_node;   // by frame: a node that has it
  std::vector<std::uint32_t> function_of;  // by frame: a number for its {function, file}
};

}  // namespace malloc_tracer::report
