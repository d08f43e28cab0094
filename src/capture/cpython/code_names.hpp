// SPDX-License-Identifier: MIT
#pragma once

#include "capture/call_tree.hpp"
#include "capture/cpython/python_headers.hpp"

// Code objects: copied when first seen, and watched for their death, since their addresses come
// back.
namespace malloc_tracer::capture::cpython {

// Copies name, file and location table. Hook safe: reads immutable objects that the running frame
// keeps alive, calls nothing.
void describe(PyCodeObject* code, CodeEntry& entry, memory::BlockPool& pool) noexcept;

// From here on the death of a known code object invalidates what is cached of it. Requires the GIL;
// stays for the process.
void watch_code_objects() noexcept;

}  // namespace malloc_tracer::capture::cpython
