// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// What writer and reader of a trace's file must agree on.
namespace malloc_tracer::report {

inline constexpr std::string_view kFormatName = "malloc_tracer trace";
inline constexpr std::string_view kPageFormatName = "malloc_tracer page";
inline constexpr std::int64_t kVersion = 1;

// In the order of trace::Related.
inline constexpr std::array<std::string_view, 3> kRelatedNames = {"none", "for_each_file",
                                                                  "in_descending_order"};

}  // namespace malloc_tracer::report
