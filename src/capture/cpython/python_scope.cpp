// SPDX-License-Identifier: MIT
#include "capture/cpython/python_scope.hpp"

#include <vector>

#include "capture/checked.hpp"
#include "capture/cpython/allocator_hooks.hpp"
#include "capture/cpython/barriers.hpp"
#include "capture/cpython/code_names.hpp"
#include "capture/cpython/frame_blocks.hpp"
#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/free_threading.hpp"
#include "capture/cpython/layout_check.hpp"
#include "capture/cpython/native_hooks.hpp"
#include "capture/cpython/python_frames.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/cpython/watches.hpp"
#include "capture/world.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

const Frame* python_frame(const Frame* frame) noexcept {
  while (frame != nullptr && is_incomplete(frame)) frame = frame->previous;
  return frame;
}

ScopeFrame caller(int skip, bool inclusive) noexcept {
  const Frame* frame = python_frame(top_frame(attached_state()));
  for (; skip > 0 && frame != nullptr; skip--) frame = python_frame(frame->previous);
  if (frame == nullptr) return {};
  return ScopeFrame{frame, code_of(frame), inclusive};
}

// Positional and keyword arguments in the interpreter's own calling form, so that nothing of the
// call is made inside the scope.
struct Arguments {
  std::vector<PyObject*> values;
  PyObject* names = nullptr;
  std::size_t positional = 0;

  Arguments(PyObject* args, PyObject* kwargs) {
    positional = static_cast<std::size_t>(PyTuple_GET_SIZE(args));
    for (std::size_t i = 0; i < positional; i++)
      values.push_back(PyTuple_GET_ITEM(args, static_cast<Py_ssize_t>(i)));
    if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) return;
    names = PyTuple_New(PyDict_GET_SIZE(kwargs));
    if (names == nullptr) return;
    Py_ssize_t at = 0, i = 0;
    for (PyObject *name, *value; PyDict_Next(kwargs, &at, &name, &value) != 0; i++) {
      Py_INCREF(name);
      PyTuple_SET_ITEM(names, i, name);
      values.push_back(value);
    }
  }
  ~Arguments() { Py_XDECREF(names); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
};

// Runs Python code that must not disturb an exception on its way out.
template <class Act>
void keeping_exception(Act act) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  act();
  PyErr_Restore(type, value, traceback);
}

void switch_session(bool open) {
  if (!is_attached()) return;  // a forked child without the GIL: hooks pass everything through
  if (open) {
    disable_free_lists();
    follow_frames(true);
    swap_allocators(true);
    record_native(true);
  } else {
    record_native(false);
    swap_allocators(false);
    enable_free_lists();
    follow_frames(false);
    disarm_all();
  }
}

}  // namespace

namespace {

// Makes the leaves of the page map where the program's heaps are now, so that a limit on address
// space that is set later finds them there.
void map_the_heap() noexcept {
  void* object = PyObject_Malloc(1);
  void* block = PyMem_RawMalloc(1);
  for (const void* p : {object, block}) page_map.make(reinterpret_cast<std::uint64_t>(p));
  PyMem_RawFree(block);
  PyObject_Free(object);
}

}  // namespace

std::string start() {
  static bool started = false;
  if (started) return {};
  if (!is_layout_known())
    return "malloc_tracer was compiled for another build of CPython " PY_VERSION
           ", whose frames differ from this one's: install it for this interpreter with pip "
           "install --no-binary malloc_tracer malloc_tracer";
  if (!find_thread_state())
    return "malloc_tracer cannot find the thread state of this Python build";
  if (!start_engine())
    return "malloc_tracer cannot reserve address space: raise the limit on virtual memory (ulimit "
           "-v)";
  install_arena_hook();
  map_the_heap();
  watch_code_objects();
  learn_free_lists();
  if (!install_native()) return "malloc_tracer cannot hook malloc in this process";
  engine.session_hook = switch_session;
  check_writers([] { return !is_foreign(attached_state()); });
  started = true;
  return {};
}

// The first scope to open and the last to close switch the interpreter's free lists and allocators.
void PythonScope::begin() noexcept {
  if (engine.open_scopes == 0) drain_free_lists();
  see_new_modules();
  InterpreterStop stop;
  scope_ = open_scope(all_threads_);
}

bool PythonScope::open() {
  begin();
  if (scope_.id != 0) {
    if (kFreeListsStayOn) engine.lose(Lost::kFreeListsOn);
    return true;
  }
  PyErr_SetString(
      PyExc_RuntimeError,
      "malloc_tracer cannot open another scope: 65,535 are open already, or memory is short");
  return false;
}

bool PythonScope::enter(int skip, bool inclusive) {
  if (!open()) return false;
  activate(scope_, here(), caller(skip, inclusive));
  return true;
}

void PythonScope::leave() {
  if (!capture::is_open(scope_)) return;
  suspend(scope_, here(), false);
  end();
}

void PythonScope::end() {
  if (watch_.function != nullptr) keeping_exception([&] { unwatch(watch_); });
  MutexGuard guard(ending_);
  if (!capture::is_open(scope_)) return;
  see_new_modules();
  ended_ = snapshot_of(scope_);
  InterpreterStop stop;
  close_scope(scope_);
}

PyObject* PythonScope::run(PyObject* callee, PyObject* args, PyObject* kwargs, PyObject* listed) {
  pause_thread();
  Arguments arguments(args, kwargs);
  bool ready =
      !PyErr_Occurred() && open() && (listed == nullptr || watch(watch_, listed, scope_, true));
  resume_thread();
  if (!ready) return nullptr;
  if (listed == nullptr) activate(scope_, here(), caller(0, false));
  PyObject* result =
      PyObject_Vectorcall(callee, arguments.values.data(), arguments.positional, arguments.names);
  if (listed == nullptr) suspend(scope_, here(), false);
  pause_thread();
  end();
  resume_thread();
  return result;
}

bool PythonScope::attach(PyObject* function, bool ends) {
  if (capture::is_open(scope_)) {
    PyErr_SetString(PyExc_RuntimeError, "this scope is open already");
    return false;
  }
  pause_thread();
  bool attached = open() && watch(watch_, function, scope_, ends);
  resume_thread();
  return attached;
}

snapshot::Snapshot PythonScope::peek() const {
  MutexGuard guard(ending_);
  if (ended_ && !capture::is_open(scope_)) return *ended_;
  see_new_modules();
  return snapshot_of(scope_);
}

void PythonScope::reset() {
  MutexGuard guard(ending_);
  MutexGuard events(watching);  // they read the scope and count the calls
  ended_.reset();
  watch_.calls = 0;
  if (capture::is_open(scope_)) scope_ = reset_scope(scope_);
}

void pause_thread() noexcept {
  Thread& thread = here();
  thread.paused++;
  thread.window = kStale;
}

void resume_thread() noexcept {
  Thread& thread = here();
  if (thread.paused != 0) thread.paused--;
  thread.window = kStale;
}

}  // namespace malloc_tracer::capture::cpython
