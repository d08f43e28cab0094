// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "trace/tables.hpp"

namespace malloc_tracer::test {

// A trace with few names and lines, so that places recur on one stack; names of every kind.
inline trace::Trace random_trace(std::mt19937& random, std::size_t max_nodes = 60) {
  const std::vector<std::string> files = {"/a.py", "/lib/b.py", "<frozen c>", "/\xff\xfe.py"};
  const std::vector<std::string> functions = {"f", "C.g", "\xc3\xa9t\xc3\xa9",
                                              "\"\\\x01\n</script>", ""};
  trace::TableMaker maker;
  std::vector<trace::Id> frames;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto kind = i % 4 == 1 ? trace::Kind::kLibrary : trace::Kind::kYours;
    const trace::Id function =
        maker.function(functions[random() % 5], maker.file(files[i % 4], kind));
    frames.push_back(maker.frame(function, 1 + static_cast<int>(random() % 5)));
  }
  std::vector<trace::Id> threads = {maker.thread("MainThread", 7),
                                    maker.thread("side", 1ULL << 40)};
  std::vector<trace::Id> allocators = {maker.allocator("malloc"), maker.allocator("python object")};
  std::vector<trace::Id> nodes = {0};
  const std::size_t size = random() % max_nodes;
  for (std::size_t i = 0; i < size; ++i) {
    nodes.push_back(maker.node(nodes[random() % nodes.size()], frames[random() % frames.size()]));
  }
  for (const trace::Id node : nodes) {
    if (random() % 4 == 0) continue;
    trace::Row row{node, threads[random() % 2], allocators[random() % 2], false, {}};
    for (const trace::Number& number : trace::kNumbers) {
      row.self.*number.value = static_cast<std::int64_t>(random() % 1000);
    }
    maker.add(row);
  }
  trace::Trace facts;
  facts.name = "load \xf0\x9f\x98\x80";
  facts.python_version = "3.13.0";
  facts.command = {"python", "a b.py", ""};
  facts.time_ms = 1'763'979'166'000;
  facts.duration_ns = 12'345;
  facts.timeline = {{0, 0}, {5, 77}};
  facts.lost = {{"blocks: table full", 3}, {"", 1}};
  facts.sources = {{"/a.py", 1, "def f():\n    x = [0]\n", false}, {"/lib/b.py", 9, "", false}};
  facts.listing.stretches = {{"/a.py", 1, 2, ""}, {"/gone.py", 3, 9, "cannot be read"}};
  facts.listing.empty_note = "no source";
  facts.listing.related = trace::Related::kForEachFile;
  facts.listing.include = {"*/src/*", ""};
  facts.listing.exclude = {"*\\\"?"};
  trace::Trace trace = trace::sum_up(std::move(facts), maker.take());
  if (trace.sum.allocated_count != 0) trace.block_sizes = {3, 0, trace.sum.allocated_count - 3};
  return trace;
}

}  // namespace malloc_tracer::test
