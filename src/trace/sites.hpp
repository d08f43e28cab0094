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
#include "trace/trace.hpp"

// From the instructions of a snapshot to places. Every distinct {code, offset} is resolved once,
// and every distinct function, file and line becomes an index; from then on the builder works with
// those.
namespace malloc_tracer::trace {

// A frame, as indices in SiteTable's lists. Equal frames have one site.
struct Site {
  Id file = 0, function = 0, line = 0;
};

class SiteTable {
 public:
  struct LineKey {
    Id file = 0;
    int number = 0;
  };

  explicit SiteTable(const std::vector<std::string>& library_prefixes)
      : library_prefixes_(library_prefixes) {}

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
    site_of_instruction_.resize(instructions.size());
    for (auto first = instructions.begin(); first != instructions.end();) {
      const auto end = std::find_if(first, instructions.end(), [first](const Instruction& other) {
        return other.code != first->code;
      });
      resolve_code(snapshot.codes[first->code], {first, end});
      first = end;
    }
  }

  // The site of a node that resolve() was asked for.
  Id of_node(std::size_t node) const { return site_of_instruction_[instruction_of_node_[node]]; }

  const Site& operator[](Id site) const { return sites_[site]; }

  // The site of a line that stands in no code object.
  const Site& add(std::string_view function, std::string_view file, int number) {
    return sites_[site(intern(function, file), number)];
  }

  std::vector<LineKey> lines;
  std::vector<Function> functions;
  std::vector<File> files;

 private:
  struct Instruction {
    std::uint32_t code, offset;
    Id id;
  };
  struct CodeIds {
    Id file = 0, function = 0;
  };

  void resolve_code(const snapshot::SnapshotCode& code, std::span<const Instruction> instructions) {
    std::vector<std::uint32_t> offsets;
    for (const Instruction& instruction : instructions) offsets.push_back(instruction.offset);
    std::vector<int> numbers(offsets.size());
    symbols::python_lines(code.line_table, code.first_line, offsets, numbers);
    const CodeIds ids = intern(code.function, code.file);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      // Instructions that belong to no line (the compiler's own, such as MAKE_CELL for a closure's
      // variables) allocate too: the line of `def` stands for them.
      const int number = numbers[i] != 0 ? numbers[i] : code.first_line;
      site_of_instruction_[instructions[i].id] = site(ids, number);
    }
  }

  CodeIds intern(std::string_view name, std::string_view file_name) {
    const auto [file, new_file] = file_ids_.insert(file_name);
    if (new_file) files.push_back({std::string(file_name), kind_of(file_name), {}, {}});
    const Id name_id = name_ids_.insert(name).first;
    const auto [function, new_function] = function_ids_.insert(name_id, file);
    if (new_function) functions.push_back({std::string(name), std::string(file_name), {}, {}});
    return {file, function};
  }

  Id site(CodeIds ids, int number) {
    const auto [site, new_site] = site_ids_.insert(ids.function, static_cast<Id>(number));
    if (new_site) {
      const auto [line, new_line] = line_ids_.insert(ids.file, static_cast<Id>(number));
      if (new_line) lines.push_back({ids.file, number});
      sites_.push_back({ids.file, ids.function, line});
    }
    return site;
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
  StringIds file_ids_, name_ids_;
  PairIds function_ids_;  // {name, file}
  PairIds line_ids_;      // {file, number}
  PairIds site_ids_;      // {function, number}
  std::vector<Site> sites_;
  std::vector<Id> instruction_of_node_;  // by snapshot node
  std::vector<Id> site_of_instruction_;
};

}  // namespace malloc_tracer::trace
