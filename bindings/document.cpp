// SPDX-License-Identifier: MIT
#include <nanobind/nanobind.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "parts.hpp"
#include "report/json.hpp"
#include "report/numbers.hpp"
#include "text.hpp"
#include "trace/assemble.hpp"

// A trace from a parsed file (docs/trace-format.md). Nothing in it is trusted: whatever is wrong is
// a ValueError that names the place.
namespace malloc_tracer::bindings {

namespace {

using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a
using trace::Counters;
using trace::Id;

[[noreturn]] void refuse(const std::string& place, const std::string& what) {
  throw nb::value_error((place + ": " + what).c_str());
}

std::int64_t number_of(nb::handle item, const std::string& place, std::int64_t least,
                       std::int64_t most) {
  int overflow = 1;
  long long value = 0;
  if (PyLong_CheckExact(item.ptr())) value = PyLong_AsLongLongAndOverflow(item.ptr(), &overflow);
  if (overflow != 0 || value < least || value > most)
    refuse(place,
           "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return value;
}

std::string text_of(nb::handle item, const std::string& place) {
  if (!PyUnicode_Check(item.ptr())) refuse(place, "must be text");
  return from_python(item);
}

// A JSON object of the file.
class Object {
 public:
  Object(nb::handle object, std::string place) : object_(object), place_(std::move(place)) {
    if (!PyDict_CheckExact(object.ptr())) refuse(place_, "must be an object");
  }

  nb::handle at(const char* key) const {
    nb::handle value = PyDict_GetItemString(object_.ptr(), key);
    if (!value.is_valid()) refuse(path(key), "is missing");
    return value;
  }
  std::string path(const char* key) const { return place_.empty() ? key : place_ + '.' + key; }
  Object object(const char* key) const { return {at(key), path(key)}; }
  std::string text(const char* key) const { return text_of(at(key), path(key)); }
  std::int64_t number(const char* key) const {
    return number_of(at(key), path(key), -kMost, kMost);
  }

  nb::handle list(const char* key) const {
    nb::handle list = at(key);
    if (!PyList_CheckExact(list.ptr())) refuse(path(key), "must be an array");
    return list;
  }
  // Columns of one table are equally long: the first one decides.
  std::size_t rows(const char* key) const {
    return static_cast<std::size_t>(PyList_GET_SIZE(list(key).ptr()));
  }
  template <class Take>
  void column(const char* key, std::size_t rows, Take take) const {
    nb::handle items = list(key);
    if (static_cast<std::size_t>(PyList_GET_SIZE(items.ptr())) != rows)
      refuse(path(key), "must be as long as the table's first column");
    for (std::size_t i = 0; i < rows; ++i)
      take(i, nb::handle(PyList_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(i))));
  }
  void numbers(const char* key, std::size_t rows, std::int64_t least, std::int64_t most,
               std::vector<std::int64_t>& out) const {
    column(key, rows, [&](std::size_t i, nb::handle item) {
      // The place is only written out where it is needed.
      if (PyLong_CheckExact(item.ptr())) {
        int overflow = 0;
        const long long value = PyLong_AsLongLongAndOverflow(item.ptr(), &overflow);
        if (overflow == 0 && value >= least && value <= most) {
          out.push_back(value);
          return;
        }
      }
      number_of(item, path(key) + '[' + std::to_string(i) + ']', least, most);
    });
  }
  void texts(const char* key, std::size_t rows, std::vector<std::string>& out) const {
    column(key, rows, [&](std::size_t i, nb::handle item) {
      out.push_back(text_of(item, path(key) + '[' + std::to_string(i) + ']'));
    });
  }

  // The ten columns of a table. No sum of them can overflow.
  std::vector<Counters> counters(std::size_t rows) const {
    std::vector<Counters> result(rows);
    for (const report::NumberFacts& facts : report::kNumbers) {
      const std::string key(facts.name);
      std::vector<std::int64_t> values;
      numbers(key.c_str(), rows, -kMost, kMost, values);
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        sum += values[i] < 0 ? -values[i] : values[i];
        if (sum > kMost) refuse(path(key.c_str()), "adds up to more than 2^62");
        result[i].*facts.value = values[i];
      }
    }
    return result;
  }

  static constexpr std::int64_t kMost = std::int64_t{1} << 62;

 private:
  nb::handle object_;
  std::string place_;
};

trace::Kind kind_named(const std::string& name, const std::string& place) {
  for (const trace::Kind kind :
       {trace::Kind::kYours, trace::Kind::kLibrary, trace::Kind::kNative}) {
    if (trace::kind_name(kind) == name) return kind;
  }
  refuse(place, "must be yours, library or native");
}

// The tables of a document, and the strings that a trace in the making refers to.
class Reader {
 public:
  explicit Reader(const nb::dict& document) : top_(document, "") {}

  trace::Trace read() {
    read_facts();
    read_flat();
    read_frames();
    read_nodes();
    return trace::assemble(std::move(facts_), std::move(places_), tree_.nodes);
  }

 private:
  void read_facts() {
    facts_.name = top_.text("name");
    facts_.python_version = top_.text("python_version");
    facts_.command = top_.text("command");
    facts_.time_s = top_.number("time");
    facts_.duration_ns = top_.number("duration_ns");
    facts_.is_difference = top_.at("is_difference").ptr() == Py_True;
    const Object lost = top_.object("lost");
    for (auto [reason, count] : nb::cast<nb::dict>(top_.at("lost"))) {
      const std::string name = text_of(reason, "lost");
      facts_.lost.emplace_back(
          name, static_cast<std::uint64_t>(number_of(count, "lost." + name, 0, Object::kMost)));
    }
    const Object timeline = top_.object("timeline");
    const std::size_t points = timeline.rows("ns");
    std::vector<std::int64_t> ns, live;
    timeline.numbers("ns", points, 0, Object::kMost, ns);
    timeline.numbers("live_bytes", points, 0, Object::kMost, live);
    for (std::size_t i = 0; i < points; ++i) facts_.timeline.push_back({ns[i], live[i]});
  }

  void read_flat() {
    const Object threads = top_.object("threads");
    std::vector<std::string> names;
    const std::size_t thread_count = threads.rows("name");
    threads.texts("name", thread_count, names);
    std::vector<std::int64_t> ids;
    threads.numbers("id", thread_count, 0, std::numeric_limits<std::int64_t>::max(), ids);
    std::vector<Counters> counters = threads.counters(thread_count);
    for (std::size_t i = 0; i < thread_count; ++i)
      facts_.threads.push_back({names[i], static_cast<std::uint64_t>(ids[i]), counters[i], {}});
    const Object allocators = top_.object("allocators");
    names.clear();
    const std::size_t allocator_count = allocators.rows("name");
    allocators.texts("name", allocator_count, names);
    counters = allocators.counters(allocator_count);
    for (std::size_t i = 0; i < allocator_count; ++i)
      facts_.allocators.push_back({names[i], counters[i], {}});
  }

  void read_frames() {
    const Object files = top_.object("files");
    const std::size_t file_count = files.rows("name");
    files.texts("name", file_count, file_names_);
    std::vector<std::string> kinds;
    files.texts("kind", file_count, kinds);
    const Object functions = top_.object("functions");
    const std::size_t function_count = functions.rows("name");
    functions.texts("name", function_count, function_names_);
    std::vector<std::int64_t> file_of;
    functions.numbers("file", function_count, 0, static_cast<std::int64_t>(file_count) - 1,
                      file_of);
    std::vector<trace::Places::CodeIds> codes;
    for (std::size_t i = 0; i < function_count; ++i) {
      const auto file = static_cast<std::size_t>(file_of[i]);
      codes.push_back(places_.intern(function_names_[i], file_names_[file],
                                     kind_named(kinds[file], "files.kind")));
    }
    const Object frames = top_.object("frames");
    const std::size_t frame_count = frames.rows("function");
    std::vector<std::int64_t> function_of, line;
    frames.numbers("function", frame_count, 0, static_cast<std::int64_t>(function_count) - 1,
                   function_of);
    frames.numbers("line", frame_count, 0, std::numeric_limits<int>::max(), line);
    for (std::size_t i = 0; i < frame_count; ++i)
      sites_.push_back(
          places_.site(codes[static_cast<std::size_t>(function_of[i])], static_cast<int>(line[i])));
  }

  void read_nodes() {
    const Object nodes = top_.object("nodes");
    const std::size_t count = nodes.rows("parent");
    if (count == 0 || count > std::numeric_limits<Id>::max())
      refuse("nodes.parent", "must have at least the root");
    std::vector<std::int64_t> parent, frame;
    nodes.numbers("parent", count, -1, static_cast<std::int64_t>(count) - 1, parent);
    nodes.numbers("frame", count, -1, static_cast<std::int64_t>(sites_.size()) - 1, frame);
    const std::vector<Counters> counters = nodes.counters(count);
    std::vector<Id> ids(count);
    for (std::size_t i = 0; i < count; ++i) {
      const bool is_root = i == 0;
      if ((parent[i] < 0) != is_root || (frame[i] < 0) != is_root ||
          parent[i] >= static_cast<std::int64_t>(i))
        refuse("nodes, row " + std::to_string(i),
               "must have a frame and an earlier row as its parent; row 0 neither");
      if (!is_root)
        ids[i] = tree_.child(ids[static_cast<std::size_t>(parent[i])],
                             sites_[static_cast<std::size_t>(frame[i])]);
      tree_.nodes[ids[i]].self += counters[i];
    }
  }

  Object top_;
  trace::Trace facts_;
  std::vector<std::string> file_names_, function_names_;
  trace::Places places_;
  std::vector<Id> sites_;
  trace::TreeMaker tree_;
};

}  // namespace

void bind_document(nb::module_& module) {
  module.attr("FORMAT") = std::string(report::kJsonFormat).c_str();
  module.attr("FORMAT_VERSION") = report::kJsonVersion;
  module.def(
      "trace_of_document",
      [](const nb::dict& document) {
        return TraceData{std::make_shared<const trace::Trace>(Reader(document).read())};
      },
      "document"_a);
}

}  // namespace malloc_tracer::bindings
