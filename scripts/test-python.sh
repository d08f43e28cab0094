# What scripts/test does for one Python version. Sourced beside scripts/machine.sh, in the chroot too. $logs: where logs go.

# wheel_is_small WHEEL: what is released may have 1.5 MB.
wheel_is_small() {
  local bytes most=1500000
  bytes=$(stat --format=%s "$1")
  echo "$1: $bytes bytes"
  ((bytes <= most)) || { echo "A wheel may have $most bytes." >&2; return 1; }
}

# wheel_is_portable PYTHON WHEEL: needs no library but those that every Linux with a C library of that age has. PYTHON has auditwheel.
wheel_is_portable() {
  "$1" -m auditwheel show "$2" | grep -o 'platform tag: "manylinux_.*"' || { "$1" -m auditwheel show "$2"; return 1; }
}

# import_is_quick PYTHON: 5 ms of processor time, in the best of 20 processes: what a busy machine does meanwhile does not count.
import_is_quick() {
  local ns most=5000000
  ns=$(for _ in {1..20}; do
    "$1" -I -c 'import time; start = time.process_time_ns(); import malloc_tracer; print(time.process_time_ns() - start)'
  done | sort -n | sed -n 1p)
  echo "import: $((ns / 1000)) us"
  ((ns <= most)) || { echo "An import may take $((most / 1000)) us." >&2; return 1; }
}

# The wheel goes into an environment of its own, so that the installed package is tested, not the source tree.
build_wheel() {
  local venv=build/test/venv-$1 wheels=build/test/wheel-$1
  make_venv "$1" "$venv"
  rm -rf "$wheels"
  "$venv/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" \
    --config-settings=cmake.define.MALLOC_TRACER_WERROR=ON --config-settings=build-dir="build/test/cmake-$1" .
  "$venv/bin/python" -m pip install --quiet auditwheel --group test
  wheel_is_small "$wheels"/*.whl
  wheel_is_portable "$venv/bin/python" "$wheels"/*.whl
  "$venv/bin/python" -m pip install --quiet --no-deps --force-reinstall "$wheels"/*.whl
  (cd / && "$OLDPWD/$venv/bin/python" -c 'import malloc_tracer, sys; print(sys.version); print(malloc_tracer.__file__)')
  import_is_quick "$venv/bin/python"
}

# python_tests VERSION [PYTEST ARGUMENT...]
python_tests() {
  MALLOC_TRACER_BUILD=build/test/cmake-$1 timeout 900 "build/test/venv-$1/bin/pytest" -q -p no:cacheprovider "${@:2}"
}

# The extension module as a free-threaded build has it, with the headers of one that is not: compiled and linked, not run.
compile_free_threaded() {
  local build=build/test/free-threaded-$1 venv=build/test/venv-$1
  "$venv/bin/python" -m pip install --quiet nanobind
  cmake -S . -B "$build" -G Ninja --log-level=WARNING -DMALLOC_TRACER_WERROR=ON -DMALLOC_TRACER_PYTHON=ON \
    -DCMAKE_CXX_FLAGS="-DPy_GIL_DISABLED=1 -DNB_FREE_THREADED" -DPython_EXECUTABLE="$PWD/$venv/bin/python"
  cmake --build "$build" --target _engine
}

# The whole suite in a build that compares every call path and every record with a slow, plain way, and then ten million events of
# programs that are hard on call paths.
checked_tests() {
  local build=build/test/checked-$1 venv=build/test/venv-$1
  "$venv/bin/python" -m pip install --quiet nanobind
  cmake -S . -B "$build" -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release -DMALLOC_TRACER_WERROR=ON \
    -DMALLOC_TRACER_PYTHON=ON -DMALLOC_TRACER_CHECKED=ON -DPython_EXECUTABLE="$PWD/$venv/bin/python"
  cmake --build "$build" --target _engine
  rm -rf "$build/python"
  mkdir "$build/python"
  cp -r python/malloc_tracer "$build/python/"
  cp "$build"/bindings/_engine*.so "$build/python/malloc_tracer/"
  export PYTHONPATH=$PWD/$build/python
  timeout 1800 "$venv/bin/pytest" -q -p no:cacheprovider
  PYTHON_JIT=1 timeout 1800 "$venv/bin/python" tests/python/hazards.py --events 10000000 # compiled, where the interpreter can
}

# examples_with PYTHON: its output goes to $logs.
examples_with() {
  local example log count=0
  for example in examples/*.py; do
    echo "-- $example"
    log=$logs/example-$(basename "$example").txt
    "$1" "$example" >"$log" || {
      cat "$log"
      return 1
    }
    count=$((count + 1))
  done
  echo "$count examples ran"
}

run_examples() {
  logs=$logs/examples-$1
  mkdir -p "$logs"
  examples_with "build/test/venv-$1/bin/python"
}
