// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/ids.hpp"
#include "trace/trace.hpp"

// A trace before it is summed, each string, place and node once: what the builder makes of a
// snapshot, what a file holds, and what merge and diff add up. docs/trace-format.md describes the
// same tables.
namespace malloc_tracer::trace {

struct Tables {
  struct FileRow {
    Text name;
    Kind kind = Kind::kYours;
  };
  struct FunctionRow {
    Text name;
    Id file = 0;
  };
  struct FrameRow {
    Id function = 0;
    int line = 0;
  };
  struct NodeRow {
    Id parent = 0, frame = 0;  // the root's frame means nothing
  };
  struct ThreadRow {
    Text name;
    std::uint64_t id = 0;
  };

  std::vector<FileRow> files;
  std::vector<FunctionRow> functions;
  std::vector<FrameRow> frames;
  std::vector<NodeRow> nodes;  // 0 is the root; parents stand before their children
  std::vector<ThreadRow> threads;
  std::vector<Text> allocators;
  std::vector<Row> rows;
};

// Fills tables; asked for what it has already, it returns that row.
class TableMaker {
 public:
  explicit TableMaker(std::size_t expected_nodes = 8);

  Id file(const Text& name, Kind kind);
  Id function(const Text& name, Id file);
  Id frame(Id function, int line);
  Id node(Id parent, Id frame);  // the child of `parent`; the root is there from the beginning
  Id thread(const Text& name, std::uint64_t id);
  Id allocator(const Text& name);
  void add(const Row& row);  // its ids are those of this maker

  // Adds `tables` with its numbers as they are or negated; frame i there is `frames[i]` here.
  void add(const Tables& tables, const std::vector<Id>& frames, bool is_negated);

  Tables take() { return std::move(tables_); }

 private:
  Tables tables_;
  TextIds file_names_, function_names_, thread_names_, allocator_names_;
  PairIds functions_;      // {name, file}
  PairIds frames_;         // {function, line}
  PairIds nodes_;          // {parent, frame}
  PairIds thread_ids_[2];  // {lower, upper half of the number}, {that, name}
  PairIds origins_;        // {thread, allocator and is_earlier}
  PairIds rows_;           // {node, origin}
};

// The tables of a trace: node i there is node i here.
Tables tables_of(const Trace& trace);

// Makes the trace: `facts` with its lists, nodes, rows and sums from `tables`. Places without a
// node, and threads and allocators without numbers, are left out.
Trace sum_up(Trace facts, Tables tables);

}  // namespace malloc_tracer::trace
