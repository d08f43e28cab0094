// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "parts.hpp"
#include "report/text.hpp"
#include "text.hpp"
#include "text_options.hpp"

namespace malloc_tracer::bindings {

namespace {

using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a
using trace::Counters;

struct NodeView {
  SharedTrace trace;
  std::uint32_t index;

  const trace::Node& node() const { return trace->nodes[index]; }
};

template <class Item>
void bind_place(nb::class_<Item>& type) {
  type.def_ro("self", &Item::self).def_ro("total", &Item::total);
}

template <class Item>
nb::list list_of(const std::vector<Item>& items) {
  nb::list list;
  for (const Item& item : items) list.append(nb::cast(item, nb::rv_policy::copy));
  return list;
}

void bind_places(nb::module_& module) {
  nb::class_<Counters> counters(module, "Counters", nb::is_final());
  for (const trace::Number& number : trace::kNumbers) {
    counters.def_ro(number.name.data(), number.value);
  }
  counters.def("__eq__", [](const Counters& a, const Counters& b) { return a == b; })
      .def("__eq__", [](const Counters&, nb::handle) { return false; })
      .def("__hash__", [](const Counters& c) {
        return static_cast<std::uint64_t>(c.live_bytes) * 31 +
               static_cast<std::uint64_t>(c.allocated_bytes);
      });
  nb::class_<trace::Line> line(module, "Line");
  line.def_prop_ro("file", [](const trace::Line& l) { return to_python(l.file); })
      .def_ro("number", &trace::Line::number)
      .def_prop_ro("function", [](const trace::Line& l) { return to_python(l.function); });
  bind_place(line);
  nb::class_<trace::Function> function(module, "Function");
  function.def_prop_ro("name", [](const trace::Function& f) { return to_python(f.name); })
      .def_prop_ro("file", [](const trace::Function& f) { return to_python(f.file); });
  bind_place(function);
  nb::class_<trace::File> file(module, "File");
  file.def_prop_ro("name", [](const trace::File& f) { return to_python(f.name); })
      .def_prop_ro("kind",
                   [](const trace::File& f) { return std::string(trace::kind_name(f.kind)); });
  bind_place(file);
  nb::class_<trace::Thread> thread(module, "Thread");
  thread.def_prop_ro("name", [](const trace::Thread& t) { return to_python(t.name); })
      .def_ro("id", &trace::Thread::id);
  bind_place(thread);
  nb::class_<trace::AllocatorUse> allocator(module, "Allocator");
  allocator.def_prop_ro("name", [](const trace::AllocatorUse& a) { return to_python(a.name); });
  bind_place(allocator);
}

void bind_tree(nb::module_& module) {
  nb::class_<trace::Frame>(module, "Frame")
      .def_prop_ro("function", [](const trace::Frame& f) { return to_python(f.function); })
      .def_prop_ro("file", [](const trace::Frame& f) { return to_python(f.file); })
      .def_ro("line", &trace::Frame::line)
      .def_prop_ro("kind",
                   [](const trace::Frame& f) { return std::string(trace::kind_name(f.kind)); });
  nb::class_<NodeView>(module, "Node")
      .def_prop_ro("frame", [](const NodeView& n) { return n.node().frame; })
      .def_prop_ro("self", [](const NodeView& n) { return n.node().self; })
      .def_prop_ro("total", [](const NodeView& n) { return n.node().total; })
      .def_prop_ro("parent",
                   [](const NodeView& n) -> nb::object {
                     if (n.index == 0) return nb::none();
                     return nb::cast(NodeView{n.trace, n.node().parent});
                   })
      .def_prop_ro("children",
                   [](const NodeView& n) {
                     nb::list children;
                     for (std::uint32_t child : n.node().children)
                       children.append(nb::cast(NodeView{n.trace, child}));
                     return children;
                   })
      .def("__eq__", [](const NodeView& a,
                        const NodeView& b) { return a.trace == b.trace && a.index == b.index; })
      .def("__hash__", [](const NodeView& n) {
        return reinterpret_cast<std::size_t>(n.trace.get()) + n.index;
      });
}

// Asks Python once for each file.
struct PythonSource {
  nb::object lines_of;
  std::map<std::string, std::vector<std::string>> files;

  std::string operator()(const std::string& file, int number) {
    const auto [found, is_new] = files.try_emplace(file);
    if (is_new) found->second = texts(lines_of(to_python(file)));
    const auto index = static_cast<std::size_t>(number) - 1;
    return index < found->second.size() ? found->second[index] : "";
  }
};

nb::object text(const TraceData& data, const nb::iterable& target, const nb::str& note,
                const nb::iterable& columns, const std::string& related,
                const nb::iterable& include, const nb::iterable& exclude,
                const nb::object& source) {
  report::TextOptions options;
  for (nb::handle section : target) options.target.push_back(nb::cast<report::Section>(section));
  options.note = from_python(note);
  options.columns = columns_named(columns);
  options.related = related_named(related);
  options.include = texts(include);
  options.exclude = texts(exclude);
  if (!source.is_none()) options.source = PythonSource{source, {}};
  return to_python(report::text_report(*data.trace, options));
}

}  // namespace

void bind_trace(nb::module_& module) {
  bind_places(module);
  bind_tree(module);
  nb::class_<report::Section>(module, "Section")
      .def(
          "__init__",
          [](report::Section* self, const nb::str& file, int first_line, const nb::iterable& lines,
             const nb::str& note, int last_line) {
            new (self) report::Section{from_python(file), first_line, texts(lines),
                                       from_python(note), last_line};
          },
          "file"_a, "first_line"_a, "text"_a, "note"_a = "", "last_line"_a = 0);
  nb::class_<TraceData> data(module, "TraceData");
  data.def_prop_ro("name", [](const TraceData& t) { return to_python(t.trace->name); })
      .def_prop_ro("python_version",
                   [](const TraceData& t) { return to_python(t.trace->python_version); })
      .def_prop_ro("duration_ns", [](const TraceData& t) { return t.trace->duration_ns; })
      .def_prop_ro("sum", [](const TraceData& t) { return t.trace->sum; })
      .def_prop_ro("lines", [](const TraceData& t) { return list_of(t.trace->lines); })
      .def_prop_ro("functions", [](const TraceData& t) { return list_of(t.trace->functions); })
      .def_prop_ro("files", [](const TraceData& t) { return list_of(t.trace->files); })
      .def_prop_ro("threads", [](const TraceData& t) { return list_of(t.trace->threads); })
      .def_prop_ro("allocators", [](const TraceData& t) { return list_of(t.trace->allocators); })
      .def_prop_ro("root",
                   [](const TraceData& t) {
                     return NodeView{t.trace, 0};
                   })
      .def_prop_ro("lost",
                   [](const TraceData& t) {
                     nb::dict lost;
                     for (const auto& [reason, count] : t.trace->lost)
                       lost[to_python(reason)] = count;
                     return lost;
                   })
      .def_prop_ro("timeline",
                   [](const TraceData& t) {
                     nb::list points;
                     for (const auto& point : t.trace->timeline)
                       points.append(nb::make_tuple(point.ns, point.live_bytes));
                     return points;
                   })
      .def_prop_ro("block_sizes",
                   [](const TraceData& t) {
                     nb::list counts;
                     for (const std::int64_t count : t.trace->block_sizes) counts.append(count);
                     return counts;
                   })
      .def(
          "line",
          [](const TraceData& t, const nb::str& place, int number) {
            return t.trace->line(from_python(place), number);
          },
          "function_or_file"_a, "number"_a)
      .def("text", &text, nb::kw_only(), "target"_a, "note"_a = "", "columns"_a = nb::make_tuple(),
           "related"_a = "none", "include"_a = nb::make_tuple(), "exclude"_a = nb::make_tuple(),
           "source"_a = nb::none());
  bind_files(module, data);
}

}  // namespace malloc_tracer::bindings
