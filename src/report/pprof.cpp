// SPDX-License-Identifier: MIT
#include "report/pprof.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "report/call_stack.hpp"
#include "report/printable.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Counters;
using trace::Trace;

// A protobuf message: fields are appended, a message inside another is a field of bytes.
class Message {
 public:
  void number(unsigned field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
  }
  void bytes(unsigned field, std::string_view content) {
    varint(field << 3 | 2);
    varint(content.size());
    out_ += content;
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void clear() { out_.clear(); }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

// Field numbers of profile.proto.
enum Profile : unsigned {
  kSampleType = 1,
  kSample = 2,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kDefaultSampleType = 14,
};

struct SampleType {
  std::string_view name, unit;
  std::int64_t Counters::*value;
};
constexpr std::array<SampleType, 5> kSampleTypes = {{
    {"alloc_space", "bytes", &Counters::allocated_bytes},
    {"alloc_objects", "count", &Counters::allocated_count},
    {"inuse_space", "bytes", &Counters::live_bytes},
    {"inuse_objects", "count", &Counters::live_count},
    {"peak_space", "bytes", &Counters::peak_bytes},
}};

class Pprof {
 public:
  explicit Pprof(const Trace& trace) : trace_(trace), frames_(trace) { string(""); }

  std::string write() {
    Message part;
    for (const SampleType& type : kSampleTypes) {
      part.clear();
      part.number(1, string(type.name));
      part.number(2, string(type.unit));
      out_.bytes(kSampleType, part.text());
    }
    for (std::size_t i = 0; i < trace_.nodes.size(); ++i) {
      if (trace_.nodes[i].self != Counters{}) write_sample(static_cast<std::uint32_t>(i));
    }
    write_frames();
    out_.number(kTimeNanos, static_cast<std::uint64_t>(trace_.time_s) * 1'000'000'000);
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

  // Innermost frame first; location ids count from 1. Blocks without a frame are the root's.
  void write_sample(std::uint32_t node) {
    Message locations, values, sample;
    std::uint32_t at = node;
    do {
      locations.varint(frames_.of_node[at] + std::uint64_t{1});
      at = trace_.nodes[at].parent;
    } while (at != 0);
    for (const SampleType& type : kSampleTypes)
      values.varint(static_cast<std::uint64_t>(trace_.nodes[node].self.*type.value));
    sample.bytes(1, locations.text());
    sample.bytes(2, values.text());
    out_.bytes(kSample, sample.text());
  }

  void write_frames() {
    std::vector<bool> written(frames_.first_node.size());
    Message line, part;
    for (std::size_t frame = 0; frame < frames_.first_node.size(); ++frame) {
      const trace::Node& node = trace_.nodes[frames_.first_node[frame]];
      const std::uint64_t function = frames_.function_of[frame] + std::uint64_t{1};
      line.clear();
      line.number(1, function);
      line.number(2, static_cast<std::uint64_t>(node.frame.line));
      part.clear();
      part.number(1, frame + 1);
      part.bytes(4, line.text());
      out_.bytes(kLocation, part.text());
      if (written[frames_.function_of[frame]]) continue;
      written[frames_.function_of[frame]] = true;
      part.clear();
      part.number(1, function);
      part.number(2, string(function_name(node)));
      part.number(4, string(node.frame.file));
      out_.bytes(kFunction, part.text());
    }
  }

  const Trace& trace_;
  const FrameIds frames_;
  Message out_;
  std::unordered_map<std::string, std::uint64_t> string_ids_;
  std::vector<std::string> strings_;
};

}  // namespace

std::string pprof(const Trace& trace, const ReportOptions&) { return Pprof(trace).write(); }

}  // namespace malloc_tracer::report
