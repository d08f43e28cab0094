# The interpreter the extension is built for, as two targets: `mt_python` gives a layer CPython's headers, the internal ones included
# (LINKS python); `Python::Module` and nanobind build the module in bindings/. Nothing else may see Python.h.

find_package(Python 3.9 REQUIRED COMPONENTS Interpreter Development.Module)

# nanobind comes with the interpreter that builds: pip puts it beside scikit-build-core, scripts/build-dev into its environment.
if(NOT nanobind_ROOT)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir
                  OUTPUT_STRIP_TRAILING_WHITESPACE OUTPUT_VARIABLE nanobind_ROOT RESULT_VARIABLE nanobind_missing)
  if(nanobind_missing)
    message(FATAL_ERROR "nanobind is missing: ${Python_EXECUTABLE} -m pip install nanobind")
  endif()
endif()
find_package(nanobind CONFIG REQUIRED)

# SYSTEM: CPython's own headers do not pass -Wconversion.
add_library(mt_python INTERFACE)
target_include_directories(mt_python SYSTEM INTERFACE ${Python_INCLUDE_DIRS} ${Python_INCLUDE_DIRS}/internal)
