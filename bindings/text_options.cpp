// SPDX-License-Identifier: MIT
#include "text_options.hpp"

#include <utility>

#include "text.hpp"

namespace malloc_tracer::bindings {

std::vector<std::string> texts(nb::handle items) {
  std::vector<std::string> out;
  for (nb::handle item : items) out.push_back(from_python(item));
  return out;
}

std::vector<report::Column> columns_named(nb::handle names) {
  static const std::pair<const char*, report::Column> known_names[] = {
      {"live", report::Column::kLive},           {"peak", report::Column::kPeak},
      {"allocated", report::Column::kAllocated}, {"count", report::Column::kCount},
      {"temporary", report::Column::kTemporary}, {"freed", report::Column::kFreed},
      {"total", report::Column::kTotal}};
  std::vector<report::Column> columns;
  for (const std::string& name : texts(names)) {
    bool known = false;
    for (const auto& [text, column] : known_names) {
      if (name == text) columns.push_back(column), known = true;
    }
    if (!known) throw nb::value_error(("unknown column '" + name + "'").c_str());
  }
  return columns;
}

report::Related related_named(const std::string& name) {
  if (name == "none") return report::Related::kNone;
  if (name == "for_each_file") return report::Related::kForEachFile;
  if (name == "in_descending_order") return report::Related::kInDescendingOrder;
  throw nb::value_error("related must be 'none', 'for_each_file' or 'in_descending_order'");
}

}  // namespace malloc_tracer::bindings
