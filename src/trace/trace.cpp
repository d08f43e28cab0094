// SPDX-License-Identifier: MIT
#include "trace/trace.hpp"

#include <algorithm>

#include "trace/order.hpp"

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
  return {file, number, {}, {}, {}};
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

bool same_place(const Node& a, const Node& b) {
  return a.parent == b.parent && place_key(a) == place_key(b) && a.frame.kind == b.frame.kind;
}

bool same_place(const Line& a, const Line& b) {
  return place_key(a) == place_key(b) && a.function == b.function;
}

bool same_place(const File& a, const File& b) {
  return place_key(a) == place_key(b) && a.kind == b.kind;
}

template <class Place>
bool same_place(const Place& a, const Place& b) {
  return place_key(a) == place_key(b);
}

template <class Place>
bool same(const std::vector<Place>& a, const std::vector<Place>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Place& x, const Place& y) {
    return same_place(x, y) && x.self == y.self && x.total == y.total;
  });
}

bool same_row(const Row& a, const Row& b) {
  return a.node == b.node && a.thread == b.thread && a.allocator == b.allocator &&
         a.is_earlier == b.is_earlier && a.self == b.self;
}

bool same_point(const TimelinePoint& a, const TimelinePoint& b) {
  return a.ns == b.ns && a.live_bytes == b.live_bytes;
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

bool operator==(const Trace& a, const Trace& b) {
  return a.name == b.name && a.python_version == b.python_version && a.command == b.command &&
         a.time_ms == b.time_ms && a.duration_ns == b.duration_ns &&
         a.is_difference == b.is_difference && a.sum == b.sum && a.lost == b.lost &&
         same(a.lines, b.lines) && same(a.functions, b.functions) && same(a.files, b.files) &&
         same(a.threads, b.threads) && same(a.allocators, b.allocators) && same(a.nodes, b.nodes) &&
         std::ranges::equal(a.rows, b.rows, same_row) && a.block_sizes == b.block_sizes &&
         std::ranges::equal(a.timeline, b.timeline, same_point);
}

}  // namespace malloc_tracer::trace
