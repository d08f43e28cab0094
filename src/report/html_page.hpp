// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace malloc_tracer::report {

// The bytes of page.html; its definition is generated (CMakeLists.txt).
std::string_view html_page();

}  // namespace malloc_tracer::report
