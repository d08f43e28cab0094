// SPDX-License-Identifier: MIT
//
// CPython 3.9 has co_lnotab, 3.10 another co_linetable: pairs of bytes, how far and by how many
// lines. They are written again in the form of 3.11, without columns, so that nothing after this
// needs to know.
#include "capture/cpython/code_lines.hpp"

#if PY_VERSION_HEX < 0x030b0000

namespace malloc_tracer::capture::cpython {

namespace {

constexpr int kNoLine = -1;

// Counts the bytes of the table, or writes them.
class TableWriter {
 public:
  TableWriter(unsigned char* to, int first_line) : to_(to), line_(first_line) {}

  // The next `bytes` of code are of this line, or of none.
  void range(int bytes, int line) noexcept {
    for (int units = bytes / 2; units > 0; units -= 8) {
      unsigned length = static_cast<unsigned>(units < 8 ? units : 8) - 1;
      if (line == kNoLine) {
        put(0x80u | 15u << 3 | length);
      } else {
        put(0x80u | 13u << 3 | length);
        put_signed(line - line_);
        line_ = line;
      }
    }
  }
  std::size_t size() const { return size_; }

 private:
  void put(unsigned byte) noexcept {
    if (to_ != nullptr) to_[size_] = static_cast<unsigned char>(byte);
    size_++;
  }
  // Six bits a byte, lowest first; 0x40: more follow. The sign is the lowest bit.
  void put_signed(int value) noexcept {
    unsigned rest =
        value < 0 ? static_cast<unsigned>(-value) << 1 | 1 : static_cast<unsigned>(value) << 1;
    for (; rest >= 64; rest >>= 6) put(0x40u | (rest & 63));
    put(rest);
  }

  unsigned char* to_;
  std::size_t size_ = 0;
  int line_;
};

struct Pairs {
  const unsigned char* bytes;
  Py_ssize_t size;

  explicit Pairs(PyObject* table)
      : bytes(reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(table))),
        size(PyBytes_GET_SIZE(table)) {}
  int distance(Py_ssize_t at) const { return bytes[at]; }
  int lines(Py_ssize_t at) const { return static_cast<signed char>(bytes[at + 1]); }
};

#if PY_VERSION_HEX >= 0x030a0000

// Each pair is a range; -128: it has no line.
void write(const PyCodeObject* code, TableWriter& writer) noexcept {
  Pairs pairs(code->co_linetable);
  int line = code->co_firstlineno;
  for (Py_ssize_t i = 0; i + 1 < pairs.size; i += 2) {
    if (pairs.lines(i) != -128) line += pairs.lines(i);
    writer.range(pairs.distance(i), pairs.lines(i) != -128 ? line : kNoLine);
  }
}

#else

// Each pair says how far it is to where the line changes, and by how much.
void write(const PyCodeObject* code, TableWriter& writer) noexcept {
  Pairs pairs(code->co_lnotab);
  int line = code->co_firstlineno, at = 0, begin = 0;
  for (Py_ssize_t i = 0; i + 1 < pairs.size; i += 2) {
    at += pairs.distance(i);
    if (pairs.distance(i) != 0) {
      writer.range(at - begin, line);
      begin = at;
    }
    line += pairs.lines(i);
  }
  writer.range(static_cast<int>(PyBytes_GET_SIZE(code->co_code)) - begin, line);
}

#endif

}  // namespace

PyObject* name_of(const PyCodeObject* code) noexcept { return code->co_name; }

CopiedText lines_of(const PyCodeObject* code, memory::BlockPool& pool) noexcept {
  TableWriter counted(nullptr, code->co_firstlineno);
  write(code, counted);
  auto* block =
      counted.size() != 0 ? static_cast<unsigned char*>(pool.allocate(counted.size())) : nullptr;
  if (block == nullptr) return CopiedText{nullptr, 0, 1};
  TableWriter written(block, code->co_firstlineno);
  write(code, written);
  return CopiedText{block, static_cast<std::uint32_t>(written.size()), 1};
}

}  // namespace malloc_tracer::capture::cpython

#endif
