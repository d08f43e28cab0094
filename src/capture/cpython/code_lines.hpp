// SPDX-License-Identifier: MIT
#pragma once

#include "capture/call_tree.hpp"
#include "capture/cpython/python_headers.hpp"

// What a code object says of itself, as later versions say it. One sibling file per family. Hook
// safe.
namespace malloc_tracer::capture::cpython {

// The qualified name; before 3.11 the bare one, all that code knows.
PyObject* name_of(const PyCodeObject* code) noexcept;

// A copy of the location table, in the form of 3.11.
CopiedText lines_of(const PyCodeObject* code, memory::BlockPool& pool) noexcept;

CopiedText copy(const void* data, std::size_t length, std::size_t width,
                memory::BlockPool& pool) noexcept;

}  // namespace malloc_tracer::capture::cpython
