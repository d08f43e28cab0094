// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "snapshot/snapshot.hpp"
#include "symbols/python_lines.hpp"
#include "trace/ids.hpp"
#include "trace/tables.hpp"
#include "trace/trace.hpp"

// From the instructions of a snapshot to frames of the trace's tables. Every distinct {code,
// offset} is resolved once.
namespace malloc_tracer::trace {

class SiteTable {
 public:
  SiteTable(const std::vector<std::string>& library_prefixes, TableMaker& maker)
      : library_prefixes_(library_prefixes), maker_(maker) {}

  // Resolves the nodes of `snapshot` that are `wanted`. Reads each code's table once from end to
  // end: the distinct instructions are ordered by code and offset.
  void resolve(const snapshot::Snapshot& snapshot, const std::vector<bool>& wanted) {
    PairIds ids;
    std::vector<Instruction> instructions;
    instruction_of_node_.resize(snapshot.nodes.size());
    for (std::size_t i = 0; i < snapshot.nodes.size(); ++i) {
      if (!wanted[i]) continue;
      const snapshot::SnapshotNode& node = snapshot.nodes[i];
      const auto [id, is_new] = ids.insert(node.code, node.offset);
      instruction_of_node_[i] = id;
      if (is_new) instructions.push_back({node.code, node.offset, id});
    }
    std::sort(instructions.begin(), instructions.end(),
              [](const Instruction& a, const Instruction& b) {
                return std::tie(a.code, a.offset) < std::tie(b.code, b.offset);
              });
    frame_of_instruction_.resize(instructions.size());
    for (auto first = instructions.begin(); first != instructions.end();) {
      const auto end = std::find_if(first, instructions.end(), [first](const Instruction& other) {
        return other.code != first->code;
      });
      resolve_code(snapshot.codes[first->code], {first, end});
      first = end;
    }
  }

  // The frame of a node that resolve() was asked for.
  Id of_node(std::size_t node) const { return frame_of_instruction_[instruction_of_node_[node]]; }

 private:
  struct Instruction {
    std::uint32_t code, offset;
    Id id;
  };

  void resolve_code(const snapshot::SnapshotCode& code, std::span<const Instruction> instructions) {
    std::vector<std::uint32_t> offsets;
    for (const Instruction& instruction : instructions) offsets.push_back(instruction.offset);
    std::vector<int> numbers(offsets.size());
    symbols::python_lines(code.line_table, code.first_line, offsets, numbers);
    const Id function = maker_.function(code.function, maker_.file(code.file, kind_of(code.file)));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      // Instructions that belong to no line (the compiler's own, such as MAKE_CELL for a closure's
      // variables) allocate too: the line of `def` stands for them.
      const int number = numbers[i] != 0 ? numbers[i] : code.first_line;
      frame_of_instruction_[instructions[i].id] = maker_.frame(function, number);
    }
  }

  Kind kind_of(std::string_view file) const {
    if (file == kNativePlace) return Kind::kNative;
    const bool is_library =
        file.starts_with("<frozen ") ||
        std::any_of(library_prefixes_.begin(), library_prefixes_.end(),
                    [file](const std::string& folder) { return is_below(file, folder); });
    return is_library ? Kind::kLibrary : Kind::kYours;
  }

  static bool is_below(std::string_view file, std::string_view folder) {
    if (folder.empty() || !file.starts_with(folder)) return false;
    return folder.back() == '/' || file.substr(folder.size()).starts_with('/');
  }

  const std::vector<std::string>& library_prefixes_;
  TableMaker& maker_;
  std::vector<Id> instruction_of_node_;  // by snapshot node
  std::vector<Id> frame_of_instruction_;
};

}  // namespace malloc_tracer::trace
