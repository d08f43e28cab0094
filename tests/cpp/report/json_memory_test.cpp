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
    return "{\"format\":\"malloc_tracer trace\",\"version\":1,\"writer\":\"\",\"name\":\"\",\"difference\":false,"
           "\"python_version\":\"\",\"time_ms\":0,\"duration_ns\":0,\"x\":" + unknown + ",\"command\":" + command +
           ",\"sum\":{" + sum.substr(1) + "},\"strings\":" + strings + ",\"threads\":{" + threads +
           "},\"allocators\":{\"name\":" + allocators + "},\"files\":{" + files + "},\"functions\":{" + functions +
           "},\"frames\":{" + frames + "},\"nodes\":{" + nodes + "},\"rows\":{\"node\":" + numbers(rows) +
           ",\"thread\":" + zeros(rows) + ",\"allocator\":" + zeros(rows) + ten +
           "},\"timeline\":{\"ns\":[],\"live_bytes\":[]},\"lost\":{\"reason\":[],\"count\":[]},\"sources\":{" + sources +
           "},\"listing\":{" + listing + ",\"empty_note\":\"\",\"related\":\"none\"}}";
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
