// SPDX-License-Identifier: MIT
#include "trace/trace.hpp"

#include <algorithm>

namespace malloc_tracer::trace {
namespace {

template <class Places>
auto find_name(const Places& places, std::string_view name) {
  return std::find_if(places.begin(), places.end(), [&](const auto& p) { return p.name == name; });
}

Line line_of_file(const Trace& trace, std::string_view file, int number) {
  for (const Line& line : trace.lines) {
    if (line.number == number && line.file == file) return line;
  }
  return {std::string(file), number, {}, {}, {}};
}

// Taken from the tree, since `lines` does not tell apart two functions that share a line.
Line line_of_function(const Trace& trace, const Function& function, int number) {
  Line line{function.file, number, function.name, {}, {}};
  std::vector<bool> inside(trace.nodes.size());  // below the line, or on it
  for (std::size_t i = 1; i < trace.nodes.size(); ++i) {
    const Node& node = trace.nodes[i];
    inside[i] = inside[node.parent];
    if (node.frame.line != number || node.frame.function != function.name) continue;
    line.self += node.self;
    if (inside[i]) continue;
    line.total += node.total;
    line.file = node.frame.file;
    inside[i] = true;
  }
  return line;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kYours:
      return "yours";
    case Kind::kLibrary:
      return "library";
    case Kind::kNative:
      return "native";
  }
  return "";
}

Line Trace::line(std::string_view function_or_file, int number) const {
  if (find_name(files, function_or_file) != files.end()) {
    return line_of_file(*this, function_or_file, number);
  }
  const auto function = find_name(functions, function_or_file);
  if (function != functions.end()) return line_of_function(*this, *function, number);
  Line unknown;
  unknown.number = number;
  return unknown;
}

}  // namespace malloc_tracer::trace
