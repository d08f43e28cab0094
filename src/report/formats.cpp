// SPDX-License-Identifier: MIT
#include "report/formats.hpp"

#include "report/collapsed.hpp"
#include "report/dhat.hpp"
#include "report/json.hpp"
#include "report/pprof.hpp"
#include "report/speedscope.hpp"
#include "report/text.hpp"

namespace malloc_tracer::report {

std::span<const Format> formats() {
  static constexpr Format kFormats[] = {
      {"text", ".txt", text_report, false},
      {"json", ".json", json, false},
      {"pprof", ".pb.gz", pprof, true},
      {"speedscope", ".speedscope.json", speedscope, false},
      {"collapsed", ".collapsed", collapsed, false},
      {"dhat", ".dhat.json", dhat, false},
  };
  return kFormats;
}

}  // namespace malloc_tracer::report
