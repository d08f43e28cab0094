// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// A gzip file (RFC 1952) whose blocks are stored, not compressed (RFC 1951, 3.2.4): what readers
// that insist on gzip accept, without a library that every program would have to link.
namespace malloc_tracer::report {

std::string gzip(std::string_view content);

}  // namespace malloc_tracer::report
