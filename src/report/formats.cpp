// SPDX-License-Identifier: MIT
#include "report/formats.hpp"

#include "report/json.hpp"
#include "report/listing.hpp"

namespace malloc_tracer::report {

std::span<const Format> formats() {
  static constexpr Format kFormats[] = {
      {"text", ".txt", true, listing_report},
      {"json", ".json", true, json_report},
  };
  return kFormats;
}

}  // namespace malloc_tracer::report
