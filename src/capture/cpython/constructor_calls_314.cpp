// SPDX-License-Identifier: MIT
#include "capture/cpython/constructor_calls.hpp"

#if PY_VERSION_HEX >= 0x030e0000

#include <opcode.h>

#include "capture/cpython/free_threading.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

using snapshot::Allocator;

const _Py_CODEUNIT* instruction(const Frame* frame) noexcept { return frame->instr_ptr; }

bool calls_constructor(const Frame* frame) noexcept {
  return !has_no_code(frame) && instruction(frame)->op.code == CALL_ALLOC_AND_ENTER_INIT;
}

// The class that is called, if it is the one the instruction was made for; else the interpreter
// takes the long way in any case.
const PyHeapTypeObject* called_class(const Frame* frame, std::uint32_t arguments) noexcept {
  const _PyStackRef* callable = frame->stackpointer - arguments - 2;
  if (callable < frame->localsplus + code_of(frame)->co_nlocalsplus) return nullptr;
  auto* object = reinterpret_cast<PyObject*>(callable->bits & ~kReferenceTag);
  if (object == nullptr || !PyType_Check(object)) return nullptr;
  std::uint32_t version;
  const auto* cache = reinterpret_cast<const _PyCallCache*>(instruction(frame) + 1);
  __builtin_memcpy(&version, cache->func_version, sizeof version);
  return reinterpret_cast<PyTypeObject*>(object)->tp_version_tag == version
             ? reinterpret_cast<PyHeapTypeObject*>(object)
             : nullptr;
}

// Does the lowered limit, and not the chunk's own, leave no room for the frames of this class's
// `__init__`?
bool is_kept_out(const PyThreadState* state, const PyHeapTypeObject* called) noexcept {
  auto* init = reinterpret_cast<PyFunctionObject*>(called->_spec_cache.init);
  const _PyStackChunk* chunk = state->datastack_chunk;
  if (init == nullptr || chunk == nullptr) return false;
  auto* own_limit = reinterpret_cast<const char*>(chunk) + chunk->size;
  long size =
      reinterpret_cast<PyCodeObject*>(init->func_code)->co_framesize + _Py_InitCleanup.co_framesize;
  return reinterpret_cast<const char*>(state->datastack_limit) < own_limit &&
         size >= state->datastack_limit - state->datastack_top;
}

std::uint64_t tuple_bytes(std::uint32_t items) noexcept {
  return kCollectorHead + offsetof(PyTupleObject, ob_item) + items * sizeof(PyObject*);
}

}  // namespace

void watch_constructor_calls(StackCache& stack, std::uint64_t top) noexcept {
  PathEntry& path = stack.paths[top];
  if (path.parent != 0) path.parent |= kLoweredMark;
  path.other_address = 0;  // it may be such a call's
  stack.constructing = calls_constructor(static_cast<const Frame*>(stack.frames[top].frame));
  if (stack.constructing) {
    stack.frames[top].address = 0;  // so that the next event looks again
  } else {
    stack.arguments_made = false;
  }
}

void forget_constructor_calls(StackCache& stack, std::uint64_t top) noexcept {
  for (std::uint64_t i = stack.bar; i <= top; i++) stack.paths[i].parent &= ~kLoweredMark;
}

bool may_cache(const Frame* frame, std::uint32_t parent) noexcept {
  return (parent & kLoweredMark) == 0 || !calls_constructor(frame);
}

bool is_made_for_barrier(StackCache& stack, PyThreadState* state, std::uint64_t bytes,
                         Allocator allocator) noexcept {
  const Frame* frame = state != nullptr ? top_frame(state) : nullptr;
  if (frame == nullptr || !calls_constructor(frame)) return false;
  std::uint32_t arguments = instruction(frame)->op.arg;
  const PyHeapTypeObject* called = called_class(frame, arguments);
  if (arguments == 0 || called == nullptr || !is_kept_out(state, called)) return false;
  if (allocator == Allocator::kPythonMem) return bytes == (arguments + 1) * sizeof(PyObject*);
  // The tuple is made first, then the instance.
  stack.arguments_made = !stack.arguments_made && bytes == tuple_bytes(arguments);
  return stack.arguments_made;
}

}  // namespace malloc_tracer::capture::cpython

#endif
