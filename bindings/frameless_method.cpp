// SPDX-License-Identifier: MIT
//
// A method without a Python frame of its own: while the target runs there is nothing of ours on the
// Python stack, so a target's traceback shows the caller and then the target. Plain C API:
// nanobind's functions cannot be descriptors with a dictionary.
#include <nanobind/nanobind.h>
#include <structmember.h>

#include "capture/cpython/python_scope.hpp"
#include "parts.hpp"

namespace malloc_tracer::bindings {

namespace {

namespace nb = nanobind;

constexpr Py_ssize_t kPlanSize = 6;  // handle, callee, args, kwargs, listed, state

struct FramelessMethod {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* prepare;
  PyObject* finish;
  PyObject* dict;
};

FramelessMethod* method(PyObject* self) { return reinterpret_cast<FramelessMethod*>(self); }

PyObject* new_reference(PyObject* object) {
  Py_INCREF(object);
  return object;
}

// The exception on its way out, whole, and out of the way; put back by raise_again.
PyObject* take_exception() {
#if PY_VERSION_HEX >= 0x030c0000
  return PyErr_GetRaisedException();
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
#endif
}

void raise_again(PyObject* exception) {
#if PY_VERSION_HEX >= 0x030c0000
  PyErr_SetRaisedException(exception);
#else
  PyErr_Restore(new_reference(reinterpret_cast<PyObject*>(Py_TYPE(exception))), exception,
                PyException_GetTraceback(exception));
#endif
}

// Before 3.11 a bare `raise` takes the traceback not from the exception but from beside it.
void leave_traceback() {
  PyObject *type, *value, *beside;
  PyErr_GetExcInfo(&type, &value, &beside);
  nb::object entry = nb::steal(value != nullptr ? PyException_GetTraceback(value) : nullptr);
  nb::object next = entry.is_valid() ? entry.attr("tb_next") : nb::none();
  if (entry.is_valid()) PyException_SetTraceback(value, next.ptr());
  Py_XDECREF(beside);
  PyErr_SetExcInfo(type, value, next.is_none() ? nullptr : next.release().ptr());
}

// Before 3.11 a function's first call makes a frame, which it keeps: so that this does not happen
// inside a scope with a function of ours.
void keep_frame([[maybe_unused]] const nb::object& function) {
#if PY_VERSION_HEX < 0x030b0000
  auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function.ptr()));
  PyFrameObject* frame =
      PyFrame_New(PyThreadState_Get(), code, PyFunction_GET_GLOBALS(function.ptr()), nullptr);
  if (frame == nullptr) throw nb::python_error();
  Py_DECREF(frame);
#endif
}

PyObject* run(PyObject* plan) {
  PyObject *handle, *callee, *args, *kwargs, *listed, *state;
  if (!PyArg_UnpackTuple(plan, "plan", kPlanSize, kPlanSize, &handle, &callee, &args, &kwargs,
                         &listed, &state))
    return nullptr;
  auto* scope = nb::inst_ptr<capture::cpython::PythonScope>(handle);
  return scope->run(callee, args, kwargs == Py_None ? nullptr : kwargs,
                    listed == Py_None ? nullptr : listed);
}

// What is ours before and after the target's run must not appear in an outer scope's numbers.
class Paused {
 public:
  Paused() { capture::cpython::pause_thread(); }
  ~Paused() { capture::cpython::resume_thread(); }
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;
};

PyObject* prepare_plan(PyObject* self, PyObject* const* args, std::size_t count, PyObject* names) {
  Paused paused;
  return PyObject_Vectorcall(method(self)->prepare, args, count, names);
}

// finish(state, result, None), or finish(state, None, exception) and the exception goes on.
PyObject* finish_with(PyObject* self, PyObject* state, PyObject* result) {
  Paused paused;
  if (result != nullptr) {
    PyObject* outcome =
        PyObject_CallFunctionObjArgs(method(self)->finish, state, result, Py_None, nullptr);
    Py_DECREF(result);
    return outcome;
  }
  PyObject* exception = take_exception();
  PyObject* outcome =
      PyObject_CallFunctionObjArgs(method(self)->finish, state, Py_None, exception, nullptr);
  if (outcome == nullptr) {
    Py_DECREF(exception);
    return nullptr;
  }
  Py_DECREF(outcome);
  raise_again(exception);
  return nullptr;
}

PyObject* call(PyObject* self, PyObject* const* args, std::size_t count, PyObject* names) {
  PyObject* plan = prepare_plan(self, args, count, names);
  if (plan == nullptr) return nullptr;
  PyObject* result = run(plan);
  PyObject* outcome = PyTuple_CheckExact(plan) && PyTuple_GET_SIZE(plan) == kPlanSize
                          ? finish_with(self, PyTuple_GET_ITEM(plan, kPlanSize - 1), result)
                          : nullptr;
  Paused paused;
  Py_DECREF(plan);
  return outcome;
}

PyObject* bind(PyObject* self, PyObject* object, PyObject*) {
  return object == nullptr || object == Py_None ? new_reference(self) : PyMethod_New(self, object);
}

int copy_attributes(FramelessMethod* self) {
  for (const char* name : {"__name__", "__qualname__", "__doc__", "__module__"}) {
    PyObject* value = PyObject_GetAttrString(self->prepare, name);
    if (value == nullptr) return -1;
    int failed = PyDict_SetItemString(self->dict, name, value);
    Py_DECREF(value);
    if (failed != 0) return -1;
  }
  return PyDict_SetItemString(self->dict, "__wrapped__",
                              self->prepare);  // inspect.signature finds the parameters there
}

int init(PyObject* object, PyObject* args, PyObject*) {
  FramelessMethod* self = method(object);
  PyObject *prepare, *finish;
  if (!PyArg_ParseTuple(args, "OO", &prepare, &finish)) return -1;
  self->vectorcall = call;
  self->prepare = new_reference(prepare);
  self->finish = new_reference(finish);
  self->dict = PyDict_New();
  return self->dict != nullptr ? copy_attributes(self) : -1;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(method(self)->prepare);
  Py_VISIT(method(self)->finish);
  Py_VISIT(method(self)->dict);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(method(self)->prepare);
  Py_CLEAR(method(self)->finish);
  Py_CLEAR(method(self)->dict);
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

template <class Function>
PyType_Slot slot(int id, Function function) {
  return {id, reinterpret_cast<void*>(function)};
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(FramelessMethod, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(FramelessMethod, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

void bind_frameless_method(nb::module_& module) {
  PyType_Slot slots[] = {slot(Py_tp_init, init),
                         slot(Py_tp_call, PyVectorcall_Call),
                         slot(Py_tp_descr_get, bind),
                         slot(Py_tp_traverse, traverse),
                         slot(Py_tp_clear, clear),
                         slot(Py_tp_dealloc, dealloc),
                         {Py_tp_members, members},
                         {Py_tp_getset, getset},
                         {0, nullptr}};
  PyType_Spec spec = {"malloc_tracer._engine.FramelessMethod", sizeof(FramelessMethod), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                          Py_TPFLAGS_METHOD_DESCRIPTOR,
                      slots};
  nb::object type = nb::steal(PyType_FromSpec(&spec));
  if (!type.is_valid()) throw nb::python_error();
  module.attr("FramelessMethod") = type;
  module.def("leave_traceback", leave_traceback);
  module.def("keep_frame", keep_frame);
}

}  // namespace malloc_tracer::bindings
