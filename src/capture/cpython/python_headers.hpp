// SPDX-License-Identifier: MIT
#pragma once

// CPython with its internal headers. The build defines Py_BUILD_CORE for capture/cpython and for
// nothing else.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Python.h>
// g++ cannot read C's <stdatomic.h> branch of pycore_atomic.h (3.8-3.12); the builtin branch is the
// same.
#undef HAVE_STD_ATOMIC
#include <frameobject.h>

#if PY_VERSION_HEX >= 0x030b0000
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#endif
#include "internal/pycore_interp.h"
#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_interpframe.h"
#endif
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"
#pragma GCC diagnostic pop
