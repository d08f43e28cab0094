// SPDX-License-Identifier: MIT
#include "report/pprof.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "report/gzip.hpp"
#include "report/printable.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Counters;
using trace::Id;
using trace::Trace;

// A protobuf message: fields are appended, a message inside another is a field of bytes.
class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    varint(field << 3);
    return varint(value);
  }
  Message& bytes(unsigned field, std::string_view content) {
    varint(field << 3 | 2);
    varint(content.size());
    out_ += content;
    return *this;
  }
  Message& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
    return *this;
  }
  void clear() { out_.clear(); }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

// Field numbers of profile.proto.
enum ProfileField : unsigned {
  kSampleType = 1,
  kSample = 2,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kDefaultSampleType = 14,
};
enum ValueTypeField : unsigned { kType = 1, kUnit = 2 };
enum SampleField : unsigned { kLocationId = 1, kValue = 2, kLabel = 3 };
enum LabelField : unsigned { kKey = 1, kText = 2 };
enum LocationField : unsigned { kId = 1, kLine = 4 };
enum LineField : unsigned { kFunctionId = 1, kLineNumber = 2 };
enum FunctionField : unsigned { kName = 2, kFilename = 4 };  // and kId

struct SampleType {
  std::string_view name, unit;
  std::int64_t Counters::*value;
};
constexpr SampleType kSampleTypes[] = {
    {"alloc_space", "bytes", &Counters::allocated_bytes},
    {"alloc_objects", "count", &Counters::allocated_count},
    {"inuse_space", "bytes", &Counters::live_bytes},
    {"inuse_objects", "count", &Counters::live_count},
    {"peak_space", "bytes", &Counters::peak_bytes},
};

// Ids count from 1. The first location and function are those of blocks without a frame.
constexpr std::uint64_t kNativeId = 1;
constexpr std::uint64_t kFirstId = 2;

class Pprof {
 public:
  explicit Pprof(const Trace& trace) : trace_(trace), tables_(trace::tables_of(trace)) {
    string("");  // the format wants it first
  }

  std::string write() {
    write_sample_types();
    write_samples();
    write_functions();
    write_locations();
    out_.number(kTimeNanos, static_cast<std::uint64_t>(trace_.time_ms) * 1'000'000);
    out_.number(kDurationNanos, static_cast<std::uint64_t>(trace_.duration_ns));
    out_.number(kDefaultSampleType, string("inuse_space"));
    for (const std::string& text : strings_) out_.bytes(kStringTable, text);
    return out_.text();
  }

 private:
  std::uint64_t string(std::string_view text) {
    const auto [at, is_new] = string_ids_.try_emplace(printable(text), strings_.size());
    if (is_new) strings_.push_back(at->first);
    return at->second;
  }

  void write_sample_types() {
    for (const SampleType& type : kSampleTypes) {
      part_.clear();
      part_.number(kType, string(type.name)).number(kUnit, string(type.unit));
      out_.bytes(kSampleType, part_.text());
    }
  }

  // One for each row of the trace. The rows of a node follow each other and share its stack.
  void write_samples() {
    const std::vector<std::string> threads = labels("thread", trace_.threads);
    const std::vector<std::string> allocators = labels("allocator", trace_.allocators);
    Message stack, values;
    for (std::size_t i = 0; i < trace_.rows.size(); ++i) {
      const trace::Row& row = trace_.rows[i];
      if (i == 0 || row.node != trace_.rows[i - 1].node) write_stack(stack, row.node);
      values.clear();
      for (const SampleType& type : kSampleTypes) {
        values.varint(static_cast<std::uint64_t>(row.self.*type.value));
      }
      part_.clear();
      part_.bytes(kLocationId, stack.text()).bytes(kValue, values.text());
      part_.bytes(kLabel, threads[row.thread]).bytes(kLabel, allocators[row.allocator]);
      out_.bytes(kSample, part_.text());
    }
  }

  void write_stack(Message& stack, Id node) {
    stack.clear();
    if (node == 0) stack.varint(kNativeId);
    for (Id at = node; at != 0; at = tables_.nodes[at].parent) {  // innermost first
      stack.varint(kFirstId + tables_.nodes[at].frame);
    }
  }

  template <class Place>
  std::vector<std::string> labels(std::string_view key, const std::vector<Place>& places) {
    std::vector<std::string> labels;
    for (const Place& place : places) {
      part_.clear();
      part_.number(kKey, string(key)).number(kText, string(place.name));
      labels.push_back(part_.text());
    }
    return labels;
  }

  // Without a system name: pprof would take such a name for a mangled one and cut parts off.
  void write_functions() {
    write_function(kNativeId, trace::kNativePlace, trace::kNativePlace);
    for (std::size_t i = 0; i < tables_.functions.size(); ++i) {
      const auto& [name, file] = tables_.functions[i];
      write_function(kFirstId + i, name, tables_.files[file].name);
    }
  }
  void write_function(std::uint64_t id, std::string_view name, std::string_view file) {
    part_.clear();
    part_.number(kId, id).number(kName, string(name)).number(kFilename, string(file));
    out_.bytes(kFunction, part_.text());
  }

  void write_locations() {
    write_location(kNativeId, kNativeId, 0);
    for (std::size_t i = 0; i < tables_.frames.size(); ++i) {
      write_location(kFirstId + i, kFirstId + tables_.frames[i].function, tables_.frames[i].line);
    }
  }
  // The earlier trace's lines of a difference, which are negative, are not lines of the file.
  void write_location(std::uint64_t id, std::uint64_t function, int line) {
    Message place;
    place.number(kFunctionId, function);
    place.number(kLineNumber, static_cast<std::uint64_t>(std::max(line, 0)));
    part_.clear();
    part_.number(kId, id).bytes(kLine, place.text());
    out_.bytes(kLocation, part_.text());
  }

  const Trace& trace_;
  const trace::Tables tables_;
  Message out_, part_;
  std::unordered_map<std::string, std::uint64_t> string_ids_;
  std::vector<std::string> strings_;
};

}  // namespace

std::string pprof(const Trace& trace) { return gzip(Pprof(trace).write()); }

}  // namespace malloc_tracer::report
