// SPDX-License-Identifier: MIT
#pragma once

#include "trace/tables.hpp"
#include "trace/trace.hpp"

// Small traces made by hand, for the tests of the formats.
namespace malloc_tracer::test {

// Two threads, three allocators, recursion, a node without numbers, one without a share of the
// peak, and a block without a frame:
//
//   <native> 64
//   main:10 > load:20            two rows
//           > load:20 > read:5   nothing at the peak
//           > load:21 > load:20  recursion
inline trace::Trace sample_trace() {
  trace::TableMaker maker;
  const auto app = maker.file("/src/app.py", trace::Kind::kYours);
  const auto io = maker.file("/lib/io.py", trace::Kind::kLibrary);
  const auto load = maker.function("load", app);
  const auto main = maker.node(0, maker.frame(maker.function("main", app), 10));
  const auto first = maker.node(main, maker.frame(load, 20));
  const auto read = maker.node(first, maker.frame(maker.function("File.read", io), 5));
  const auto outer = maker.node(main, maker.frame(load, 21));
  const auto inner = maker.node(outer, maker.frame(load, 20));
  const auto main_thread = maker.thread("MainThread", 4711);
  const auto worker = maker.thread("worker", 4712);
  const auto objects = maker.allocator("python object");
  const auto memory = maker.allocator("python mem");
  const auto heap = maker.allocator("malloc");
  maker.add({0, main_thread, heap, false, {64, 1, 64, 1, 64, 1, 0, 0, 0, 0}});
  maker.add({first, main_thread, objects, false, {100, 2, 300, 3, 500, 5, 400, 3, 1, 0}});
  maker.add({first, worker, heap, false, {0, 0, 1000, 1, 1000, 1, 1000, 1, 0, 1}});
  maker.add({read, main_thread, memory, false, {0, 0, 0, 0, 70, 1, 70, 1, 1, 0}});
  maker.add({inner, main_thread, objects, false, {7, 1, 7, 1, 7, 1, 0, 0, 0, 0}});
  trace::Trace facts;
  facts.name = "load";
  facts.command = {"python", "app.py", "--fast"};
  facts.time_ms = 1'700'000'000'123;
  facts.duration_ns = 9'000;
  facts.timeline = {{0, 0}, {5'000, 1'371}, {8'000, 171}};
  return trace::sum_up(facts, maker.take());
}

// Names that try to break out of whatever they are written into: one block of 5 bytes.
inline trace::Trace hostile_trace() {
  trace::TableMaker maker;
  const auto file = maker.file("/a;b\n\"\\\xff\xed\xb3\xa9.py", trace::Kind::kYours);
  const auto function =
      maker.function("f 12;\r\n</script>\t\x01\xe2\x80\xae\xc3\xa9", file);  // ends in U+202E, é
  const auto node = maker.node(0, maker.frame(function, 3));
  maker.add({node,
             maker.thread("t\n\x80", 1),
             maker.allocator("malloc"),
             false,
             {5, 1, 5, 1, 5, 1, 0, 0, 0, 0}});
  trace::Trace facts;
  facts.name = "\xfe\"\n";
  return trace::sum_up(facts, maker.take());
}

// What a grown and a shrunk line leave, and one that only the earlier trace has.
inline trace::Trace difference() {
  trace::TableMaker maker;
  const auto function = maker.function("load", maker.file("/src/app.py", trace::Kind::kYours));
  const auto thread = maker.thread("MainThread", 4711);
  const auto objects = maker.allocator("python object");
  const auto grown = maker.node(0, maker.frame(function, 20));
  const auto shrunk = maker.node(0, maker.frame(function, 21));
  const auto gone = maker.node(0, maker.frame(function, -22));
  maker.add({grown, thread, objects, false, {90, 9, 90, 9, 90, 9, 0, 0, 0, 0}});
  maker.add({grown, thread, objects, true, {-60, -6, -60, -6, -60, -6, 0, 0, 0, 0}});
  maker.add({shrunk, thread, objects, true, {-8, -1, -8, -1, -8, -1, 0, 0, 0, 0}});
  maker.add({gone, thread, objects, true, {-3, -1, -3, -1, -3, -1, 0, 0, 0, 0}});
  trace::Trace facts;
  facts.name = "load";
  facts.is_difference = true;
  facts.duration_ns = -5;
  return trace::sum_up(facts, maker.take());
}

}  // namespace malloc_tracer::test
