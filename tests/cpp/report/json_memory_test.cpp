// SPDX-License-Identifier: MIT
// What reading a file takes, counted block by block: hostile files are small and describe much.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "report/json.hpp"
#include "trace/error.hpp"

namespace {
std::size_t live_size = 0, most_size = 0;
}  // namespace

void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  live_size += malloc_usable_size(block) + sizeof(std::size_t);
  if (live_size > most_size) most_size = live_size;
  return block;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* block) noexcept {
  if (block != nullptr) live_size -= malloc_usable_size(block) + sizeof(std::size_t);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace malloc_tracer::report {
namespace {

constexpr std::size_t kNodes = 50'000;

std::string column(std::size_t size, const std::function<std::string(std::size_t)>& value) {
  std::string text = "[";
  for (std::size_t i = 0; i < size; ++i) text += (i == 0 ? "" : ",") + value(i);
  return text + "]";
}
std::string numbers(std::size_t size) {
  return column(size, [](std::size_t i) { return std::to_string(i); });
}
std::string zeros(std::size_t size) {
  return column(size, [](std::size_t) { return std::string("0"); });
}
std::string empty_texts(std::size_t size) {
  return column(size, [](std::size_t) { return std::string("\"\""); });
}

// A file with parts that may be put in place of the empty ones.
struct File {
  std::string command = "[]", strings = "[\"\"]", frames = "\"function\":[],\"line\":[]",
              nodes = "\"parent\":[0],\"frame\":[-1]", functions = "\"name\":[],\"file\":[]",
              files = "\"name\":[],\"kind\":[]", threads = "\"name\":[0],\"id\":[0]",
              allocators = "[0]", sources = "\"file\":[],\"first_line\":[],\"text\":[]",
              listing = "\"file\":[],\"first_line\":[],\"last_line\":[],\"note\":[]", unknown = "0";
  std::size_t rows = 0;

  std::string text() const {
    std::string ten, sum;
    for (const trace::Number& number : trace::kNumbers) {
      const bool is_one = number.name == "temporary_count";  // rows of zeros are left out
      const std::string name = ",\"" + std::string(number.name) + "\":";
      ten += name + column(rows, [&](std::size_t) { return std::string(is_one ? "1" : "0"); });
      sum += name + (is_one ? std::to_string(rows) : "0");
    }
    return "{\"format\":\"malloc_tracer "
           "trace\",\"version\":1,\"writer\":\"\",\"name\":\"\",\"difference\":false,"
           "\"python_version\":\"\",\"time_ms\":0,\"duration_ns\":0,\"x\":" +
           unknown + ",\"command\":" + command + ",\"sum\":{" + sum.substr(1) +
           "},\"strings\":" + strings + ",\"threads\":{" + threads +
           "},\"allocators\":{\"name\":" + allocators + "},\"files\":{" + files +
           "},\"functions\":{" + functions + "},\"frames\":{" + frames + "},\"nodes\":{" + nodes +
           "},\"rows\":{\"node\":" + numbers(rows) + ",\"thread\":" + zeros(rows) +
           ",\"allocator\":" + zeros(rows) + ten +
           "},\"timeline\":{\"ns\":[],\"live_bytes\":[]},\"lost\":{\"reason\":[],\"count\":[]},"
           "\"sources\":{" +
           sources + "},\"listing\":{" + listing + ",\"empty_note\":\"\",\"related\":\"none\"}}";
  }
};

void expect_bounded(const char* what, const File& file, bool is_readable = true) {
  const std::string text = file.text();
  const std::size_t before = live_size;
  most_size = live_size;
  bool was_read = true;
  std::string error;
  try {
    read_json(text);
  } catch (const Error& thrown) {
    was_read = false;
    error = thrown.what();
  }
  EXPECT_EQ(was_read, is_readable) << what << ": " << error;
  EXPECT_LE(most_size - before, 19 * text.size()) << what << ", " << text.size() << " bytes";
}

File tree(const std::function<std::string(std::size_t)>& parent) {
  File file;
  file.rows = kNodes;
  file.files = "\"name\":[0],\"kind\":[\"yours\"]";
  file.functions = "\"name\":[0],\"file\":[0]";
  file.frames = "\"function\":" + zeros(kNodes) + ",\"line\":" + numbers(kNodes);
  file.nodes = "\"parent\":" + column(kNodes, parent) + ",\"frame\":" +
               column(kNodes, [](std::size_t i) { return i == 0 ? "-1" : std::to_string(i - 1); });
  return file;
}

TEST(JsonMemory, IsBoundedByTheFile) {
  const auto chain = [](std::size_t i) { return std::to_string(i < 2 ? 0 : i - 1); };
  const auto star = [](std::size_t) { return std::string("0"); };
  expect_bounded("star of nodes", tree(star));
  expect_bounded("chain of nodes", tree(chain));

  File names = tree(star);
  names.strings = column(kNodes, [](std::size_t i) { return "\"" + std::to_string(i) + "\""; });
  names.files = "\"name\":" + numbers(kNodes) +
                ",\"kind\":" + column(kNodes, [](std::size_t) { return std::string("\"yours\""); });
  names.functions = "\"name\":" + numbers(kNodes) + ",\"file\":" + numbers(kNodes);
  names.frames = "\"function\":" + numbers(kNodes) + ",\"line\":" + zeros(kNodes);
  expect_bounded("a function and a file for each node", names);

  names.files = "\"name\":[0],\"kind\":[\"yours\"]";
  names.functions = "\"name\":" + numbers(kNodes) + ",\"file\":" + zeros(kNodes);
  expect_bounded("a function for each node", names);

  File long_name = tree(star);
  long_name.strings = "[\"" + std::string(1'000'000, 'x') + "\"]";
  expect_bounded("one long name", long_name);

  File threads = tree(star);
  threads.threads = "\"name\":" + zeros(kNodes) + ",\"id\":" + numbers(kNodes);
  expect_bounded("threads without rows", threads);

  File words;
  words.command = empty_texts(kNodes);
  expect_bounded("words", words);
  File strings;
  strings.strings = empty_texts(kNodes);
  expect_bounded("strings", strings);
  File allocators;
  allocators.allocators = zeros(kNodes);
  expect_bounded("allocators", allocators);
  File sources;
  sources.sources = "\"file\":" + zeros(kNodes) + ",\"first_line\":" + zeros(kNodes) +
                    ",\"text\":" + empty_texts(kNodes);
  expect_bounded("sources", sources);
  File listing;
  listing.listing = "\"file\":" + zeros(kNodes) + ",\"first_line\":" + zeros(kNodes) +
                    ",\"last_line\":" + zeros(kNodes) + ",\"note\":" + empty_texts(kNodes);
  expect_bounded("listing", listing);
  File unused;
  unused.frames = "\"function\":" + zeros(kNodes) + ",\"line\":" + zeros(kNodes);
  unused.functions = "\"name\":" + zeros(kNodes) + ",\"file\":" + zeros(kNodes);
  unused.files = "\"name\":[0],\"kind\":[\"yours\"]";
  expect_bounded("frames of no node", unused);
  File rowless = tree(star);
  rowless.rows = 1;
  expect_bounded("nodes without rows", rowless, false);
  File unknown;
  unknown.unknown = empty_texts(kNodes);
  expect_bounded("what is skipped", unknown);
}

}  // namespace
}  // namespace malloc_tracer::report
