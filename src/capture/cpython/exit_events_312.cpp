// SPDX-License-Identifier: MIT
//
// CPython 3.12 to 3.15: sys.monitoring. Local events on the watched code objects; PY_UNWIND and
// PY_THROW cannot be local before 3.15, so they are global while anything is watched (1.00 on other
// code, 1.08 in a loop of exceptions).
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/watches.hpp"

#if PY_VERSION_HEX >= 0x030c0000

#include <opcode.h>  // macros with plain names: last

#include "capture/cpython/free_threading.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/events.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

int tool = -1;
long local_events = 0, global_events = 0;

// A callback runs on top of the frame that it is about.
enum class Kind { kStart, kResume, kYield, kReturn };

template <Kind kind>
PyObject* on_event(PyObject*, PyObject* const*, Py_ssize_t) {
  const Frame* frame = top_frame(attached_state());
  MutexGuard guard(watching);
  if (kind == Kind::kStart || kind == Kind::kResume) {
    frame_entered(frame, kind == Kind::kStart);
  } else {
    frame_left(frame, kind == Kind::kReturn);
  }
  Py_RETURN_NONE;
}

template <class Function>
constexpr PyMethodDef definition(const char* name, Function function) {
  return PyMethodDef{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)),
                     METH_FASTCALL, nullptr};
}

constexpr bool kUnwindIsLocal = PY_VERSION_HEX >= 0x030f0000;

struct Event {
  const char* name;
  PyMethodDef callback;
  bool local;
};

Event events[] = {
    {"PY_START", definition("start", on_event<Kind::kStart>), true},
    {"PY_RESUME", definition("resume", on_event<Kind::kResume>), true},
    {"PY_THROW", definition("throw", on_event<Kind::kResume>), kUnwindIsLocal},
    {"PY_RETURN", definition("return", on_event<Kind::kReturn>), true},
    {"PY_YIELD", definition("yield", on_event<Kind::kYield>), true},
    {"PY_UNWIND", definition("unwind", on_event<Kind::kReturn>), kUnwindIsLocal},
};

// A new reference that is thrown away; false if the call raised.
bool done(PyObject* result) {
  Py_XDECREF(result);
  return result != nullptr;
}

PyObject* monitoring() {
  PyObject* module = PySys_GetObject("monitoring");  // borrowed
  if (module == nullptr)
    PyErr_SetString(PyExc_RuntimeError, "malloc_tracer needs sys.monitoring, which is missing");
  return module;
}

// Ids 3 and 4 have no meaning to others; then any that is free.
bool take_tool_id() {
  for (int id : {4, 3, 5, 2, 1, 0}) {
    if (done(PyObject_CallMethod(monitoring(), "use_tool_id", "is", id, "malloc_tracer"))) {
      tool = id;
      return true;
    }
    PyErr_Clear();
  }
  PyErr_SetString(PyExc_RuntimeError,
                  "every sys.monitoring tool id is taken: stop another tool (coverage, a debugger) "
                  "before tracing a function");
  return false;
}

bool register_callbacks() {
  PyObject* names = PyObject_GetAttrString(monitoring(), "events");
  if (names == nullptr) return false;
  bool ok = true;
  for (Event& event : events) {
    PyObject* bit = PyObject_GetAttrString(names, event.name);
    PyObject* callback = PyCFunction_New(&event.callback, nullptr);
    ok = ok && bit != nullptr && callback != nullptr &&
         done(PyObject_CallMethod(monitoring(), "register_callback", "iOO", tool, bit, callback));
    if (ok) (event.local ? local_events : global_events) |= PyLong_AsLong(bit);
    Py_XDECREF(bit);
    Py_XDECREF(callback);
  }
  Py_DECREF(names);
  return ok;
}

bool start_tool() {
  if (tool >= 0) return true;
  return monitoring() != nullptr && take_tool_id() && register_callbacks();
}

bool set_global(bool on) {
  return kUnwindIsLocal ||
         done(PyObject_CallMethod(monitoring(), "set_events", "il", tool, on ? global_events : 0L));
}

PyObject* code_behind(PyObject* watched) {
  return PyCode_Check(watched) ? watched : PyFunction_GET_CODE(watched);
}

bool set_local(PyObject* watched, bool on) {
  return done(PyObject_CallMethod(monitoring(), "set_local_events", "iOl", tool,
                                  code_behind(watched), on ? local_events : 0L));
}

bool code_is_watched(PyObject* watched) {
  for (Watch* watch = watches; watch != nullptr; watch = watch->next) {
    if (code_behind(watch->function) == code_behind(watched)) return true;
  }
  return false;
}

}  // namespace

bool watch(Watch& watch, PyObject* function, ScopeRef& scope, bool ends_scope) {
  MutexGuard guard(watching);
  if (!start_tool()) return false;
  if (watches == nullptr && !set_global(true)) return false;
  if (!set_local(function, true)) return false;
  add_watch(watch, function, scope, ends_scope);
  return true;
}

void unwatch(Watch& watch) {
  {
    MutexGuard guard(watching);
    if (!remove_watch(watch)) return;
    if (!code_is_watched(watch.function)) set_local(watch.function, false);
    if (watches == nullptr) set_global(false);
    PyErr_Clear();
  }
  Py_CLEAR(watch.function);
}

namespace {

constexpr int kStarts[] = {
    RESUME,
    INSTRUMENTED_RESUME,
#ifdef RESUME_CHECK
    RESUME_CHECK,
#endif
#ifdef RESUME_CHECK_JIT
    RESUME_CHECK_JIT,
#endif
};
constexpr int kEnds[] = {
    INSTRUMENTED_RETURN_VALUE,
    INSTRUMENTED_YIELD_VALUE,
#ifdef INSTRUMENTED_RETURN_CONST
    INSTRUMENTED_RETURN_CONST,
#endif
};

template <std::size_t kCount>
bool is_one_of(int opcode, const int (&opcodes)[kCount]) {
  for (int each : opcodes) {
    if (opcode == each) return true;
  }
  return false;
}

}  // namespace

// Switching events on gives a code object its monitoring data when it next starts (at RESUME); 3.14
// then makes a list of the machine code that is out of date. An event's offset is an int object
// when it is large. All are made at instructions that allocate nothing of that kind themselves.
bool is_event_bookkeeping(PyThreadState* state, std::uint64_t bytes,
                          snapshot::Allocator allocator) noexcept {
  if (tool < 0 || state == nullptr) return false;
  const Frame* frame = top_frame(state);
  if (frame == nullptr || is_incomplete(frame)) return false;
  const PyCodeObject* code = code_of(frame);
  auto instruction = reinterpret_cast<const _Py_CODEUNIT*>(instruction_of(frame));
  int opcode = instruction->op.code;
  if (is_one_of(opcode, kStarts)) {
    constexpr std::size_t kList = kCollectorHead + sizeof(PyListObject);
    auto length = static_cast<std::uint64_t>(Py_SIZE(code));
    return allocator == Allocator::kPythonMem
               ? bytes == sizeof(_PyCoMonitoringData) || bytes == length
               : allocator == Allocator::kPythonObject && bytes == kList;
  }
  if (allocator != Allocator::kPythonObject || bytes > sizeof(PyLongObject)) return false;
  return is_one_of(opcode, kEnds);
}

}  // namespace malloc_tracer::capture::cpython

#endif
