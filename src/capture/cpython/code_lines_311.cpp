// SPDX-License-Identifier: MIT
//
// CPython 3.11 and later.
#include "capture/cpython/code_lines.hpp"

#if PY_VERSION_HEX >= 0x030b0000

namespace malloc_tracer::capture::cpython {

PyObject* name_of(const PyCodeObject* code) noexcept { return code->co_qualname; }

CopiedText lines_of(const PyCodeObject* code, memory::BlockPool& pool) noexcept {
  PyObject* table = code->co_linetable;
  return copy(PyBytes_AS_STRING(table), static_cast<std::size_t>(PyBytes_GET_SIZE(table)), 1, pool);
}

}  // namespace malloc_tracer::capture::cpython

#endif
