// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// A gzip file (RFC 1952). Equal contents give equal bytes: it has no time and no name.
namespace malloc_tracer::report {

std::string gzip(std::string_view content);

}  // namespace malloc_tracer::report
