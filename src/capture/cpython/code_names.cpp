// SPDX-License-Identifier: MIT
#include "capture/cpython/code_names.hpp"

#include "capture/cpython/code_lines.hpp"
#include "capture/events.hpp"
#include "capture/world.hpp"

namespace malloc_tracer::capture::cpython {

CopiedText copy(const void* data, std::size_t length, std::size_t width,
                memory::BlockPool& pool) noexcept {
  void* block = length != 0 ? pool.allocate(length * width) : nullptr;
  if (block == nullptr) return CopiedText{nullptr, 0, 1};
  __builtin_memcpy(block, data, length * width);
  return CopiedText{block, static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(width)};
}

namespace {

CopiedText copy_string(PyObject* text, memory::BlockPool& pool) noexcept {
  if (text == nullptr || !PyUnicode_Check(text)) return CopiedText{nullptr, 0, 1};
  return copy(PyUnicode_DATA(text), static_cast<std::size_t>(PyUnicode_GET_LENGTH(text)),
              static_cast<std::size_t>(PyUnicode_KIND(text)), pool);
}

destructor original_dealloc = nullptr;

// In, since a signal handler's event may want the tree's lock too.
bool code_died(const void* code) noexcept {
  Busy busy(here());
  return engine.tree.code_died(code);
}

void code_dealloc(PyObject* code) {
  if (code_died(code)) {
    WorldStop stop;
    engine.code_epoch.fetch_add(1, std::memory_order_relaxed);
    for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
      if (thread->in_use) thread->window = kStale;
    }
  }
  original_dealloc(code);
}

}  // namespace

void describe(PyCodeObject* code, CodeEntry& entry, memory::BlockPool& pool) noexcept {
  entry.function = copy_string(name_of(code), pool);
  entry.file = copy_string(code->co_filename, pool);
  entry.first_line = code->co_firstlineno;
  entry.line_table = lines_of(code, pool);
}

void watch_code_objects() noexcept {
  original_dealloc = PyCode_Type.tp_dealloc;
  PyCode_Type.tp_dealloc = code_dealloc;
}

}  // namespace malloc_tracer::capture::cpython
