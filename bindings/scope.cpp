// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <chrono>

#include "capture/checked.hpp"
#include "capture/cpython/python_scope.hpp"
#include "parts.hpp"
#include "text.hpp"
#include "trace/builder.hpp"

namespace malloc_tracer::bindings {

namespace {

using capture::cpython::PythonScope;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

void checked(bool done) {
  if (!done) throw nb::python_error();
}

nb::object steal(PyObject* result) {
  checked(result != nullptr);
  return nb::steal(result);
}

TraceData peek(const PythonScope& scope, const std::string& python_version,
               const nb::iterable& library_prefixes, const nb::dict& thread_names,
               const nb::iterable& command) {
  trace::BuildOptions options;
  options.python_version = python_version;
  for (nb::handle prefix : library_prefixes)
    options.library_prefixes.push_back(from_python(prefix));
  for (auto [id, name] : thread_names)
    options.thread_names.emplace(nb::cast<std::uint64_t>(id), from_python(name));
  for (nb::handle word : command) options.command.push_back(from_python(word));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  options.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  snapshot::Snapshot snapshot = scope.peek();
  snapshot.name = scope.name();
  return TraceData{std::make_shared<const trace::Trace>(trace::build(snapshot, options))};
}

// For the collector: a profiled function and its profile hold each other.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<PythonScope>(self)->attached_to());
  return 0;
}
int clear(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<PythonScope>(self)->end();
  return 0;
}
PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

void bind_scope(nb::module_& module) {
  nb::class_<PythonScope>(module, "ScopeHandle", nb::type_slots(slots))
      .def(
          "__init__",
          [](PythonScope* self, const nb::str& name, bool all_threads) {
            new (self) PythonScope(from_python(name), all_threads);
          },
          "name"_a, "all_threads"_a)
      .def(
          "enter",
          [](PythonScope& scope, int skip, bool inclusive) {
            checked(scope.enter(skip, inclusive));
          },
          "skip"_a = 0, "inclusive"_a = true)
      .def("leave", &PythonScope::leave)
      .def(
          "run",
          [](PythonScope& scope, const nb::callable& callee, const nb::tuple& args,
             const nb::object& kwargs, const nb::object& listed) {
            return steal(scope.run(callee.ptr(), args.ptr(),
                                   kwargs.is_none() ? nullptr : kwargs.ptr(),
                                   listed.is_none() ? nullptr : listed.ptr()));
          },
          "callee"_a, "args"_a, "kwargs"_a.none(), "listed"_a.none())
      .def(
          "attach",
          [](PythonScope& scope, const nb::object& function, bool ends) {
            checked(scope.attach(function.ptr(), ends));
          },
          "function"_a, "ends"_a = false)
      .def("peek", &peek, "python_version"_a, "library_prefixes"_a, "thread_names"_a, "command"_a)
      .def("reset", &PythonScope::reset)
      .def("end", &PythonScope::end)
      .def_prop_ro("calls", &PythonScope::calls)
      .def_prop_ro("is_open", &PythonScope::is_open);
  module.def("pause", &capture::cpython::pause_thread);
  module.def("resume", &capture::cpython::resume_thread);
  // Paused before the caller's own frame joins the traceback of an exception.
  module.def("call_and_pause", [](const nb::callable& function) {
    PyObject* result = PyObject_CallNoArgs(function.ptr());
    capture::cpython::pause_thread();
    return steal(result);
  });
  module.def("self_test", &capture::cpython::start);
  module.def("checks",
             [] { return nb::make_tuple(capture::checks.paths, capture::checks.records); });
}

}  // namespace malloc_tracer::bindings
