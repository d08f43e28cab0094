// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "report/text.hpp"

namespace malloc_tracer::bindings {

std::vector<std::string> texts(nanobind::handle items);
std::vector<report::Column> columns_named(nanobind::handle names);
report::Related related_named(const std::string& name);

}  // namespace malloc_tracer::bindings
