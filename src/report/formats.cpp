// SPDX-License-Identifier: MIT
#include "report/formats.hpp"

#include "report/collapsed.hpp"
#include "report/dhat.hpp"
#include "report/html.hpp"
#include "report/json.hpp"
#include "report/listing.hpp"
#include "report/pprof.hpp"
#include "report/speedscope.hpp"

namespace malloc_tracer::report {

std::span<const Format> formats() {
  static constexpr Format kFormats[] = {
      {"text", ".txt", true, listing_report},
      {"json", ".json", true, json_report},
      {"html", ".html", true, html_report},
      {"pprof", ".pb.gz", false, pprof},
      {"speedscope", ".speedscope.json", true, speedscope},
      {"collapsed", ".collapsed", true, collapsed},
      {"dhat", ".dhat.json", true, dhat},
  };
  return kFormats;
}

}  // namespace malloc_tracer::report
