// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// The compressed format of gzip files (RFC 1951), in one pass: hash chains, one step of looking
// ahead, a code of its own for each block. Equal contents give equal bytes. Why our own:
// docs/decisions/007-own-deflate.md.
namespace malloc_tracer::report {

std::string deflate(std::string_view content);

}  // namespace malloc_tracer::report
