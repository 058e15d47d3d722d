#!/usr/bin/env bash
# Every development task behind one door; the Makefile only forwards to it.
#
#   tools/dev.sh install   R package into .Rlib/, Python environment into .venv/
#   tools/dev.sh test      testthat and pytest, ending with their counts
#   tools/dev.sh demo      coxph against coxphGPU on real data and on a million rows
#   tools/dev.sh bench     times against survival and others; tables and pictures into README.md
#   tools/dev.sh validate  coverage of intervals, level of tests on simulated cohorts; minutes
#   tools/dev.sh check     R CMD build and R CMD check: no error, no warning
#   tools/dev.sh lint      ruff, lintr, and the syntax of the shell scripts
#   tools/dev.sh docs      NAMESPACE and man/ from the roxygen comments
#   tools/dev.sh clean     removes all that the others made
#
# Each target first sets up what it needs, and is quick where that is there already.
# Settings, from the environment:
#   PYTHON           the interpreter behind .venv (default: the first usable one found)
#   PIP_EXTRA_ARGS   more arguments for pip install, such as an index of CPU builds of torch
# for validate:
#   QUICK=1          a few cohorts, stored nowhere: that it works
# and for bench (more of them in benchmarks/run.R):
#   CASES            names or groups of cases: issue, resampling, competitors, scaling, rows_*
#                    (default: all)
#   QUICK=1          everything tiny, stored nowhere: that it works, and that engines agree
#   RESUME=1         without the cases that these sources have been measured on
#   COMPETITORS=no   does not install the other packages; those not there are left out

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

venv=$root/.venv
bench_venv=$root/.venv-bench
rlib=$root/.Rlib
pins=python/requirements-dev.txt

system_packages="r-base-core r-base-dev r-cran-survival r-cran-reticulate r-cran-testthat
  r-cran-cli r-cran-rlang r-cran-withr r-cran-knitr r-cran-rmarkdown r-cran-broom r-cran-tibble
  r-cran-data.table r-cran-ggplot2 pandoc python3-venv python3-dev qpdf"

# What the tests of other packages' functions on a fit need; without one, its tests are skipped.
tested_packages="r-cran-boot r-cran-car r-cran-clubsandwich r-cran-emmeans r-cran-epi
  r-cran-ggeffects r-cran-ggfortify r-cran-hmisc r-cran-lava r-cran-lmtest r-cran-mass
  r-cran-matchit r-cran-mice r-cran-mitools r-cran-multcomp r-cran-pammtools r-cran-parameters
  r-cran-pec r-cran-performance r-cran-prediction r-cran-publish r-cran-qvcalc r-cran-riskregression
  r-cran-rms r-cran-sandwich r-cran-sjplot r-cran-survey r-cran-survminer r-cran-survmisc
  r-cran-timereg r-cran-xtable"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'dev.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# R and the tests' snapshots read and print UTF-8, whatever the locale of a bare machine.
case $(locale charmap 2>/dev/null) in
  UTF-8) ;;
  *) export LC_ALL=C.UTF-8 ;;
esac

# Runs a command quietly; shows what it printed only where it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

# ---- system packages ---------------------------------------------------------------------------

# need_system [PACKAGE ...]: the packages above and these; from apt where they are missing.
need_system() {
  local missing
  # shellcheck disable=SC2086  # a list of words
  missing=$(missing_packages $system_packages "$@")
  if [ -z "$missing" ]; then return; fi
  if ! have apt-get; then
    die "please install, then run this again: $(printf '%s\n' "$missing" | names_without_apt)"
  fi
  # shellcheck disable=SC2086
  apt_install $missing
}

# want_system PACKAGE ...: the same, but what cannot be had is done without.
want_system() {
  local missing known
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return; fi
  if have apt-get; then
    # shellcheck disable=SC2086
    if (apt_install $missing) 2>/dev/null; then return; fi
    # one that a distribution lacks must not keep out the others
    known=$(known_to_apt $missing)
    # shellcheck disable=SC2086
    if [ -n "$known" ] && [ "$known" != "$missing" ] && (apt_install $known) 2>/dev/null; then
      missing=$(printf '%s\n' "$missing" | grep -vxF "$known" || true)
    fi
  fi
  say "going on without: $(printf '%s\n' "$missing" | paste -sd ' ' -)"
}

known_to_apt() {
  local name
  for name in "$@"; do
    if apt-cache show "$name" >/dev/null 2>&1; then printf '%s\n' "$name"; fi
  done
}

# Prints those of the named Debian packages that are neither installed nor provided otherwise.
missing_packages() {
  local name installed=" "
  if have dpkg-query; then
    # It ends with status 1 where one of them is unknown, which is no error here.
    installed=" $({ dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null || true; } |
      awk '$1 == "ii" { print $2 }' | tr '\n' ' ')"
  fi
  for name in "$@"; do
    case $installed in *" $name "*) continue ;; esac
    provided "$name" || printf '%s\n' "$name"
  done
}

# provided PACKAGE: is what this Debian package brings here in some other way?
provided() {
  case $1 in
    r-base-core) have Rscript ;;
    r-base-dev) have Rscript && have make && have cc && have c++ ;;
    r-cran-*) have Rscript && r_packages | grep -qix "${1#r-cran-}" ;;
    python3-venv | python3-dev) find_python >/dev/null ;;
    *) have "$1" ;;
  esac
}

r_packages() { Rscript --vanilla -e 'writeLines(unique(rownames(installed.packages())))'; }

names_without_apt() {
  sed -e 's/^r-base-core$/R (4.1 or newer)/' -e 's/^r-base-dev$/a C and C++ compiler and make/' \
    -e 's/^r-cran-/R package /' -e '/^python3-venv$/d' \
    -e 's/^python3-dev$/Python (3.10 or newer, with venv and a shared libpython)/' |
    paste -sd ';' - | sed 's/;/; /g'
}

apt_install() {
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      die "this needs packages that only root can install; please run

  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*

and then this again."
    fi
    as_root="sudo -n"
  fi
  say "installing from apt: $*"
  # shellcheck disable=SC2086  # sudo and its option, or nothing
  {
    quietly $as_root apt-get update || say "apt-get update failed; going on with the lists at hand"
    quietly $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "$@" || die "apt-get could not install: $*"
  }
}

# ---- the Python environment --------------------------------------------------------------------

# Prints the first interpreter that a virtual environment for R can be built on.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 /usr/bin/python3 python3.13 python3.12 python3.11 python3.10}; do
    if usable_python "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# reticulate loads Python as a shared library, and rpy2 is compiled against its headers.
usable_python() {
  have "$1" && "$1" - >/dev/null 2>&1 <<'PYTHON'
import importlib.util
import os
import sys
import sysconfig

var = sysconfig.get_config_var
folders = [var("LIBDIR") or "", os.path.join(var("LIBDIR") or "", var("MULTIARCH") or "")]
names = [var("INSTSONAME") or "", var("LDLIBRARY") or ""]
shared = bool(var("PYTHONFRAMEWORK")) or (
    bool(var("Py_ENABLE_SHARED"))
    and any(os.path.isfile(os.path.join(f, n)) for f in folders for n in names)
)
headers = os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h"))
modules = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
sys.exit(not (sys.version_info >= (3, 10) and shared and headers and modules))
PYTHON
}

need_python() {
  local key
  key="$root ${PYTHON:-} ${PIP_EXTRA_ARGS:-} $(cksum <"$pins")"
  if [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$key" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  make_venv
  say "installing the pinned Python packages into .venv"
  # shellcheck disable=SC2086  # several arguments
  quietly "$venv/bin/python" -m pip install --disable-pip-version-check ${PIP_EXTRA_ARGS:-} \
    -r "$pins" || die "pip could not install $pins (PIP_EXTRA_ARGS adds arguments, such as an index)"
  quietly r_loads_torch || die "R's reticulate cannot load torch from .venv; try another PYTHON="
  printf '%s\n' "$key" >"$venv/.stamp"
}

make_venv() {
  local python base='import sys; print(sys.base_prefix, sys.version)'
  python=$(find_python) || die "no usable Python${PYTHON:+ at PYTHON=$PYTHON}: 3.10 or newer is needed," \
    "with venv, its headers and a shared libpython"
  if [ "$("$venv/bin/python" -c "$base" 2>/dev/null)" = "$("$python" -c "$base")" ]; then return; fi
  say "making .venv with $python"
  rm -rf "$venv"
  quietly "$python" -m venv "$venv" || die "$python could not make a virtual environment"
}

r_loads_torch() {
  RETICULATE_PYTHON=$venv/bin/python Rscript --vanilla \
    -e 'for (module in c("numpy", "torch")) reticulate::import(module)'
}

# ---- the R package -----------------------------------------------------------------------------

need_package() {
  local key
  [ -f NAMESPACE ] || die "there is no NAMESPACE; run: bash tools/dev.sh docs"
  key=$(package_key)
  if [ -d "$rlib/survivalGPU" ] && [ "$(cat "$rlib/.stamp" 2>/dev/null)" = "$key" ]; then return; fi
  say "installing the R package into .Rlib"
  mkdir -p "$rlib"
  rm -f "$rlib/.stamp"
  quietly R CMD INSTALL --preclean --clean --library="$rlib" "$root" || die "R CMD INSTALL failed"
  printf '%s\n' "$key" >"$rlib/.stamp"
}

# What the installed package is made of: R itself, and the contents of the sources.
package_key() {
  {
    R --version
    find DESCRIPTION NAMESPACE R inst man python/src src -type f ! -path '*/__pycache__/*' \
      ! -name '*.o' ! -name '*.so' \
      -exec cksum {} + 2>/dev/null | sort -k 3 || true
  } | cksum
}

# The compiled kernels where the Python sources look for them; the R package builds its own.
need_kernels() {
  local library=python/libs/survivalGPU.so stamp=python/libs/.stamp key
  key=$(cksum src/*.c src/*.h | cksum)
  if [ -f "$library" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then return; fi
  say "compiling the kernels into python/libs"
  quietly "$venv/bin/python" python/build_kernels.py "$library" || die "the kernels do not compile"
  printf '%s\n' "$key" >"$stamp"
}

need_all() {
  need_system "$@"
  need_python
  need_package
  need_kernels
}

# R and Python as every target runs them.
use_environment() {
  export R_LIBS=$rlib RETICULATE_PYTHON=$venv/bin/python
}

# ---- targets -----------------------------------------------------------------------------------

run_install() {
  need_all
  say "ready: R_LIBS=.Rlib RETICULATE_PYTHON=.venv/bin/python Rscript x.R"
}

run_demo() {
  need_all
  use_environment
  Rscript tools/demo.R
}

run_bench() {
  need_all
  if [ "${COMPETITORS:-yes}" != no ]; then need_competitors; fi
  use_environment
  BENCH_PYTHON=$bench_venv/bin/python BENCH_SOURCES=$(bench_key) Rscript benchmarks/run.R
  # tiny problems and results kept elsewhere are nothing for the README
  if [ -z "${QUICK:-}${BENCH_OUT:-}" ]; then Rscript benchmarks/report.R; fi
}

bench_key() {
  {
    package_key
    cksum benchmarks/adapters/* benchmarks/R/{problems,tasks,resampling,cases,measure}.R benchmarks/worker.*
  } | cksum | cut -d ' ' -f 1
}

# What cannot be installed is left out of the tables, which then say so: no reason to stop.
need_competitors() {
  local key requirement python pins=benchmarks/requirements.txt
  (need_system r-cran-rms r-cran-glmnet) || say "going on without what apt did not bring"
  key="$root $(cksum <"$pins")"
  if [ "$(cat "$bench_venv/.stamp" 2>/dev/null)" = "$key" ]; then return; fi
  say "installing the Python packages to compare with into .venv-bench"
  python=$(find_python) && quietly "$python" -m venv "$bench_venv" || return 0
  # one by one, so that one that cannot be installed keeps no other away
  grep -v '^#' "$pins" | while read -r requirement; do
    # shellcheck disable=SC2086  # several arguments
    quietly "$bench_venv/bin/python" -m pip install --disable-pip-version-check \
      ${PIP_EXTRA_ARGS:-} "$requirement" || say "going on without $requirement"
  done
  printf '%s\n' "$key" >"$bench_venv/.stamp"
}

run_validate() {
  need_all
  use_environment
  Rscript validation/run.R
}

run_test() {
  local work r_counts py_counts
  need_all
  # shellcheck disable=SC2086
  want_system $tested_packages
  use_environment
  work=$(mktemp -d)
  say "testthat"
  NOT_CRAN=true Rscript tools/testthat.R "$work/testthat" </dev/null || true
  say "pytest"
  run_pytest "$work/pytest" || true
  r_counts=$(counts_in "$work/testthat")
  py_counts=$(counts_in "$work/pytest")
  rm -rf "$work"
  report_counts "$r_counts" "$py_counts"
}

# Without a file, or with an empty one, the run broke off: one failure.
counts_in() { if [ -s "$1" ]; then cat "$1"; else echo "0 1 0"; fi; }

# run_pytest FILE: writes "passed failed skipped" to FILE.
run_pytest() {
  local status=0 r_home
  r_home=$(R RHOME)
  (
    cd python
    export R_HOME=$r_home LD_LIBRARY_PATH=$r_home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    "$venv/bin/python" -m pytest -q --junitxml="$1.xml" </dev/null
  ) || status=$?
  "$venv/bin/python" - "$1.xml" "$status" >"$1" <<'PYTHON'
import sys
from xml.etree import ElementTree

path, status = sys.argv[1], int(sys.argv[2])
suites = list(ElementTree.parse(path).getroot().iter("testsuite"))
total, failures, errors, skipped = (
    sum(int(suite.get(key, 0)) for suite in suites)
    for key in ("tests", "failures", "errors", "skipped")
)
# A run that broke off, or found no test, has failed whatever it counted.
failed = max(failures + errors, int(status != 0))
print(max(total - failures - errors - skipped, 0), failed, skipped)
PYTHON
}

# report_counts "P F S" "P F S": a line for each, then the total alone on the last line.
report_counts() {
  # shellcheck disable=SC2086
  set -- $1 $2
  printf '\n  testthat  %d passed, %d failed, %d skipped\n' "$1" "$2" "$3"
  printf '  pytest    %d passed, %d failed, %d skipped\n\n' "$4" "$5" "$6"
  printf '%d passed, %d failed, %d skipped\n' $(($1 + $4)) $(($2 + $5)) $(($3 + $6))
  [ $(($2 + $5)) -eq 0 ]
}

run_check() {
  local work status=0
  need_system
  need_python
  work=$(mktemp -d)
  say "R CMD build"
  stage_sources "$work/survivalGPU"
  (
    cd "$work"
    export RETICULATE_PYTHON=$venv/bin/python PYTHONDONTWRITEBYTECODE=1
    export _R_CHECK_FORCE_SUGGESTS_=false _R_CHECK_SYSTEM_CLOCK_=0 _R_CHECK_TESTS_NLINES_=0
    quietly R CMD build survivalGPU || exit 1
    rm -rf survivalGPU
    carries_python_core survivalGPU_*.tar.gz || exit 1
    say "R CMD check"
    R CMD check --no-manual survivalGPU_*.tar.gz </dev/null || true
    clean_check_log survivalGPU.Rcheck/00check.log
  ) || status=$?
  rm -rf "$work"
  if [ "$status" -eq 0 ]; then say "check passed"; else say "check failed"; fi
  return "$status"
}

# R CMD build first copies the whole folder, so it gets one without the environments.
stage_sources() {
  mkdir -p "$1"
  tar -cf - --exclude=./.git --exclude='./.venv*' --exclude=./.Rlib --exclude='./*.Rcheck' \
    --exclude='./src/*.o' --exclude='./src/*.so' . | tar -xf - -C "$1"
}

# The tarball must hold the Python core (through the symlink in inst/python) and no byte code.
carries_python_core() {
  local files
  files=$(tar -tzf "$1")
  if ! printf '%s\n' "$files" | grep -q '/inst/python/survivalgpu/api/__init__\.py$'; then
    say "the tarball lacks inst/python/survivalgpu"
    return 1
  fi
  if printf '%s\n' "$files" | grep -q -e __pycache__ -e '\.pyc$'; then
    say "the tarball carries Python byte code"
    return 1
  fi
}

clean_check_log() {
  local status
  status=$(sed -n 's/^Status: //p' "$1")
  printf '\nR CMD check: %s\n' "${status:-broke off}"
  awk '/^\* /{ shown = / (NOTE|WARNING|ERROR)$/ } shown' "$1"
  case $status in "" | *ERROR* | *WARNING*) return 1 ;; esac
}

run_lint() {
  local status=0 script
  need_all r-cran-lintr
  use_environment
  say "bash -n"
  for script in tools/*.sh .ci/run; do bash -n "$script" || status=1; done
  say "ruff"
  (cd python && "$venv/bin/ruff" check --quiet . && "$venv/bin/ruff" format --check --quiet .) ||
    status=1
  # scripts, whose functions need no docstring
  "$venv/bin/ruff" check --quiet --config python/pyproject.toml --extend-ignore D benchmarks ||
    status=1
  "$venv/bin/ruff" format --check --quiet --config python/pyproject.toml benchmarks || status=1
  say "lintr"
  Rscript tools/lint.R || status=1
  if [ "$status" -eq 0 ]; then say "lint passed"; else say "lint failed"; fi
  return "$status"
}

run_docs() {
  need_system r-cran-roxygen2
  Rscript -e 'roxygen2::roxygenise(load_code = "source")'
}

run_clean() {
  rm -rf .venv .venv-bench .Rlib ./*.Rcheck survivalGPU_*.tar.gz python/build python/dist
  rm -rf python/libs src/*.o src/*.so
  rm -rf python/.pytest_cache python/.ruff_cache python/.hypothesis .ruff_cache
  find python inst benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
}

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

case ${1:-help} in
  install | test | demo | bench | validate | check | lint | docs | clean) "run_$1" ;;
  help | -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
