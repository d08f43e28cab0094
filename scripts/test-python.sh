# What scripts/test does for one Python version. Sourced beside scripts/machine.sh, in the chroot too. $logs: where logs go.

# The wheel goes into an environment of its own, so that the installed package is tested, not the source tree.
build_wheel() {
  local venv=build/test/venv-$1 wheels=build/test/wheel-$1
  make_venv "$1" "$venv"
  rm -rf "$wheels"
  "$venv/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" \
    --config-settings=cmake.define.MALLOC_TRACER_WERROR=ON --config-settings=build-dir="build/test/cmake-$1" .
  ls "$wheels"
  "$venv/bin/python" -m pip install --quiet --group test
  "$venv/bin/python" -m pip install --quiet --no-deps --force-reinstall "$wheels"/*.whl
  (cd / && "$OLDPWD/$venv/bin/python" -c 'import malloc_tracer, sys; print(sys.version); print(malloc_tracer.__file__)')
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
