// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace malloc_tracer::report {

// Bytes as letters (RFC 4648), padded, without line breaks.
std::string base64(std::string_view bytes);

}  // namespace malloc_tracer::report
