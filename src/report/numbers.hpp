// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "trace/trace.hpp"

// The ten numbers by name, in the order that every format writes them.
namespace malloc_tracer::report {

struct NumberFacts {
  std::string_view name;   // as in api.md
  std::string_view title;  // "live bytes"
  std::string_view unit;   // "bytes" or "blocks"
  std::int64_t trace::Counters::*value;
};

inline constexpr std::array<NumberFacts, 10> kNumbers = {{
    {"live_bytes", "live bytes", "bytes", &trace::Counters::live_bytes},
    {"live_count", "live blocks", "blocks", &trace::Counters::live_count},
    {"peak_bytes", "peak bytes", "bytes", &trace::Counters::peak_bytes},
    {"peak_count", "peak blocks", "blocks", &trace::Counters::peak_count},
    {"allocated_bytes", "allocated bytes", "bytes", &trace::Counters::allocated_bytes},
    {"allocated_count", "allocated blocks", "blocks", &trace::Counters::allocated_count},
    {"freed_bytes", "freed bytes", "bytes", &trace::Counters::freed_bytes},
    {"freed_count", "freed blocks", "blocks", &trace::Counters::freed_count},
    {"temporary_count", "temporary blocks", "blocks", &trace::Counters::temporary_count},
    {"reallocated_count", "reallocations", "blocks", &trace::Counters::reallocated_count},
}};

}  // namespace malloc_tracer::report
