// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/ids.hpp"
#include "trace/trace.hpp"

// The distinct files, functions and lines of a trace while it is made: from strings to indices.
namespace malloc_tracer::trace {

// A frame, as indices in the lists of Places. Equal frames have one site.
struct Site {
  Id file = 0, function = 0, line = 0;
};

class Places {
 public:
  struct LineKey {
    Id file = 0;
    int number = 0;
  };
  struct CodeIds {
    Id file = 0, function = 0;
  };

  // The strings must outlive the table. The kind of a file is that of its first mention.
  CodeIds intern(std::string_view name, std::string_view file_name, Kind kind) {
    const auto [file, new_file] = file_ids_.insert(file_name);
    if (new_file) files.push_back({std::string(file_name), kind, {}, {}});
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

  const Site& operator[](Id site) const { return sites_[site]; }

  std::vector<LineKey> lines;
  std::vector<Function> functions;
  std::vector<File> files;

 private:
  StringIds file_ids_, name_ids_;
  PairIds function_ids_;  // {name, file}
  PairIds line_ids_;      // {file, number}
  PairIds site_ids_;      // {function, number}
  std::vector<Site> sites_;
};

}  // namespace malloc_tracer::trace
