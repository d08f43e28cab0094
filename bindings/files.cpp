// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <utility>
#include <vector>

#include "parts.hpp"
#include "report/formats.hpp"
#include "report/html_table.hpp"
#include "report/json.hpp"
#include "report/listing.hpp"
#include "text.hpp"
#include "text_options.hpp"
#include "trace/diff.hpp"
#include "trace/error.hpp"
#include "trace/merge.hpp"

// Traces as files: formats, source text to go with them, sums and differences.
namespace malloc_tracer::bindings {
namespace {

using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

TraceData data_of(trace::Trace&& trace) {
  return TraceData{std::make_shared<const trace::Trace>(std::move(trace))};
}

nb::bytes written(const TraceData& data, const std::string& format) {
  for (const report::Format& known : report::formats()) {
    if (known.name != format) continue;
    const std::string text = known.write(*data.trace);
    return nb::bytes(text.data(), text.size());
  }
  throw nb::value_error(("there is no format '" + format + "'").c_str());
}

nb::list formats() {
  nb::list list;
  for (const report::Format& format : report::formats()) {
    list.append(nb::make_tuple(nb::str(format.name.data(), format.name.size()),
                               nb::str(format.suffix.data(), format.suffix.size()),
                               format.is_text));
  }
  return list;
}

TraceData with_source(const TraceData& data, const nb::iterable& sources,
                      const nb::iterable& stretches, const nb::str& empty_note,
                      const std::string& related, const nb::iterable& include,
                      const nb::iterable& exclude) {
  trace::Trace trace = *data.trace;
  for (nb::handle source : sources) {
    trace.sources.push_back(
        {from_python(source[0]), nb::cast<int>(source[1]), from_python(source[2]), false});
  }
  for (nb::handle stretch : stretches) {
    trace.listing.stretches.push_back({from_python(stretch[0]), nb::cast<int>(stretch[1]),
                                       nb::cast<int>(stretch[2]), from_python(stretch[3])});
  }
  trace.listing.empty_note = from_python(empty_note);
  trace.listing.related = related_named(related);
  trace.listing.include = texts(include);
  trace.listing.exclude = texts(exclude);
  return data_of(std::move(trace));
}

TraceData without_source(const TraceData& data) {
  trace::Trace trace = *data.trace;
  trace.sources.clear();
  for (auto& stretch : trace.listing.stretches) stretch.note.clear();
  return data_of(std::move(trace));
}

nb::object listing(const TraceData& data, const nb::iterable& columns, const nb::object& related) {
  std::optional<report::Related> mode;
  if (!related.is_none()) mode = related_named(from_python(related));
  return to_python(report::listing_report(*data.trace, columns_named(columns), mode));
}

TraceData merged(const nb::iterable& traces) {
  std::vector<const trace::Trace*> list;
  for (nb::handle trace : traces) list.push_back(nb::cast<const TraceData&>(trace).trace.get());
  return data_of(trace::merge(list));
}

void translate_error(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    const nb::object type = nb::module_::import_("malloc_tracer._errors").attr("MallocTracerError");
    PyErr_SetObject(type.ptr(), to_python(error.what()).ptr());
  }
}

}  // namespace

void bind_files(nb::module_& module, nb::class_<TraceData>& data) {
  nb::register_exception_translator(translate_error);
  data.def("written", &written, "format"_a)
      .def("with_source", &with_source, "sources"_a, "stretches"_a, "empty_note"_a, "related"_a,
           "include"_a, "exclude"_a)
      .def("without_source", &without_source)
      .def("listing", &listing, "columns"_a, "related"_a = nb::none())
      .def("html_table", [](const TraceData& t) { return to_python(report::html_table(*t.trace)); })
      .def("diff",
           [](const TraceData& later, const TraceData& earlier) {
             return data_of(trace::diff(*later.trace, *earlier.trace));
           })
      .def_prop_ro("is_difference", [](const TraceData& t) { return t.trace->is_difference; })
      .def_prop_ro("time_ms", [](const TraceData& t) { return t.trace->time_ms; })
      .def("__eq__", [](const TraceData& a, const TraceData& b) { return *a.trace == *b.trace; });
  module.def("formats", &formats);
  module.def("merge", &merged, "traces"_a);
  module.def("read_json", [](const nb::bytes& text) {
    return data_of(report::read_json({text.c_str(), text.size()}));
  });
}

}  // namespace malloc_tracer::bindings
