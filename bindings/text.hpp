// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

#include <string>

namespace malloc_tracer::bindings {

namespace nb = nanobind;

// Between Python's text and ours (UTF-8). File names may hold bytes that are no UTF-8: they go
// through as Python's surrogates.
inline nb::object to_python(const std::string& text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
  if (object == nullptr) throw nb::python_error();
  return nb::steal(object);
}

inline std::string from_python(nb::handle text) {
  if (!PyUnicode_Check(text.ptr())) throw nb::type_error("text must be a str");
  nb::object bytes = nb::steal(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
  if (!bytes.is_valid()) {
    PyErr_Clear();  // a lone surrogate that stands for no byte
    bytes = nb::steal(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  }
  if (!bytes.is_valid()) throw nb::python_error();
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

}  // namespace malloc_tracer::bindings
