// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/mutex.hpp"
#include "capture/scopes.hpp"
#include "snapshot/snapshot.hpp"

// A scope as Python uses it: a `with` block, the activations of a function during one call, or
// those of a function for good. Requires the GIL for all. Python errors are left set and reported
// as nullptr or false.
namespace malloc_tracer::capture::cpython {

class PythonScope {
 public:
  PythonScope(std::string name, bool all_threads)
      : name_(std::move(name)), all_threads_(all_threads) {}
  ~PythonScope() { end(); }
  PythonScope(const PythonScope&) = delete;
  PythonScope& operator=(const PythonScope&) = delete;

  // From here on, in the calling Python frame, `skip` frames up; paths begin with that frame if it
  // is `inclusive`, else above it.
  bool enter(int skip, bool inclusive = true);
  // The scope's end, if it is open.
  void leave();
  // callee(*args, **kwargs); with a Python function `listed` the scope is its activations, else the
  // whole call. A new reference.
  PyObject* run(PyObject* callee, PyObject* args, PyObject* kwargs, PyObject* listed);
  // Every activation of a Python function, or of a code object, from here on; `ends`: the scope
  // ends at the last return, with the locals alive.
  bool attach(PyObject* function, bool ends);
  // What `attach` was given, until the scope ends; a borrowed reference or nullptr.
  PyObject* attached_to() const { return watch_.function; }
  // So far, or as it ended.
  snapshot::Snapshot peek() const;
  void reset();
  void end();
  // Of what is attached; a generator counts once.
  std::uint64_t calls() const { return watch_.calls; }
  bool is_open() const { return capture::is_open(scope_); }
  const std::string& name() const { return name_; }

 private:
  bool open();
  void begin() noexcept;

  std::string name_;
  bool all_threads_;
  ScopeRef scope_;
  Watch watch_;
  std::optional<snapshot::Snapshot> ended_;
  mutable Mutex ending_;  // the end, and whoever asks for the result
};

// The engine inside this interpreter: hooks ready, nothing recording. Empty, or one sentence why it
// cannot be.
std::string start();

// Nothing that this thread allocates is recorded until the matching resume.
void pause_thread() noexcept;
void resume_thread() noexcept;

}  // namespace malloc_tracer::capture::cpython
