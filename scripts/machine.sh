# What the scripts need of a Debian or Ubuntu machine: apt packages, interpreters, virtual environments. Sourced, not run.

supported_versions=(3.15 3.14 3.13 3.12 3.11 3.10 3.9) # newest first
chroot_versions=(3.15 3.14) # what scripts/chroot-python has where the machine has none
free_threaded_versions=(3.15t 3.14t) # tested where they are found: no registry has them

apt_updated=

# as_root COMMAND...: runs it as root, through sudo where we are not.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Not root, and no sudo here. As root, run: $*" >&2
    return 1
  fi
}

# apt_install PACKAGE...: installs those that are missing.
apt_install() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if [[ -z $apt_updated ]]; then
    as_root apt-get update -qq
    apt_updated=yes
  fi
  echo "Installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}

# version_of PYTHON: prints the version of a CPython, as 3.13 or, free-threaded, 3.14t.
version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2] + "t" * ("t" in sys.abiflags) if sys.implementation.name == "cpython" else "")' 2>/dev/null
}

# find_python VERSION: prints the path of that interpreter, from PATH or ~/.pyenv/versions; fails if there is none.
# The path is the interpreter's own: a pyenv shim is on PATH for every version and runs only those switched on.
find_python() {
  local candidate
  for candidate in "$(command -v "python$1")" "$(command -v python3)" "$HOME/.pyenv/versions/${1%t}".*/bin/python; do
    if [[ $(version_of "$candidate") == "$1" ]]; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done
  return 1
}

# has_chroot VERSION: is it one that scripts/chroot-python can have here?
has_chroot() {
  [[ " ${chroot_versions[*]} " == *" $1 "* ]] && { ((EUID == 0)) || command -v sudo >/dev/null; }
}

# find_chromium: prints the path of a browser for the page's tests; fails if there is none. Ubuntu's is a stub that asks for a snap.
find_chromium() {
  local name path
  for name in "${MALLOC_TRACER_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    path=$(command -v "$name") && "$path" --version &>/dev/null && echo "$path" && return 0
  done
  return 1
}

# find_node: prints the folder of a Node.js, 20 or newer, with npm beside it; fails if there is none.
find_node() {
  local folder
  for folder in "$(dirname "$(command -v node)")" "$PWD/build/test/venv-node/bin"; do
    [[ -x $folder/npm ]] && "$folder/node" -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null &&
      echo "$folder" && return 0
  done
  return 1
}

# complete_python VERSION PATH: installs what Debian splits off from an interpreter: its headers and venv.
complete_python() {
  local missing=()
  "$2" -c 'import sysconfig, sys, os; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "internal")))' ||
    missing+=("python$1-dev")
  "$2" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$1-venv")
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
}

# make_venv VERSION FOLDER: a virtual environment with a pip that knows dependency groups; kept if it stands and works.
make_venv() {
  local python
  if [[ $(version_of "$2/bin/python") != "$1" ]]; then
    python=$(find_python "$1") || { echo "Python $1 is not on this machine." >&2; return 1; }
    complete_python "$1" "$python"
    rm -rf "$2"
    "$python" -m venv "$2"
  fi
  "$2/bin/python" -c 'import pip; raise SystemExit(int(pip.__version__.split(".")[0]) < 26)' 2>/dev/null ||
    "$2/bin/python" -m pip install --quiet --upgrade pip
}
