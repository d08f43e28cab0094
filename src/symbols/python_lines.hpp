// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// Instruction offset -> line number, from CPython's location table (3.11+, documented in CPython's
// InternalDocs/code_objects.md). Pure functions on copied bytes: no Python is needed, and a cut or
// malformed table is never read past its end.
namespace malloc_tracer::symbols {

// Line number of the instruction at `offset` (bytes from the first instruction). 0 where the table
// gives no line or is malformed.
int python_line(std::string_view line_table, int first_line, int offset);

// The same for many instructions in one pass: `offsets` must ascend (equal ones are fine), and
// `lines` has room for one line each.
void python_lines(std::string_view line_table, int first_line,
                  std::span<const std::uint32_t> offsets, std::span<int> lines);

}  // namespace malloc_tracer::symbols
