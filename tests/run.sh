#!/usr/bin/env bash
# Installs what is needed, builds, and runs tests: sudo tests/run.sh [unit|fuzz-replay|sim|netns|tsan|package|kernel|lab|mutations|bench|all]...
#
#   unit         formatting, layering, unit tests, the simulator, integration tests (debug build with sanitizers)
#   fuzz-replay  every input the fuzzers have kept
#   sim          every NAT against every other in the simulator, 1,000 runs of each pair (FLOE_SIM_SEEDS), and 10,000
#                short lives in a bad world (FLOE_SIM_LIVES), release build
#   netns        whole programs in network namespaces, behind real NATs (root)
#   tsan         two threads carry packets while sessions, paths and peers change, and ThreadSanitizer sees no race (root, 3 minutes)
#   package      the .deb packages in bare, booted Debian systems (root)
#   kernel       the WireGuard of Debian's kernel as the peer, on an emulated machine (root, a minute)
#   lab          the laboratory proves itself: its NATs, delays and losses (root, two minutes)
#   mutations    known defects are brought back one at a time, and a test has to fail (a quarter of an hour and more)
#   bench        floe beside other VPNs, and the steps of the packet path: tables and JSON in build/bench (root, 25 minutes
#                with nothing else to do; it reports and never fails)
#   all          everything but kernel, lab, mutations and bench; what runs without arguments
#
# The last line is "N passed, N failed, N skipped". Logs of failed netns tests are kept in build/netns-logs.
set -euo pipefail
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 # else undefined behaviour is told and forgiven
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
python=/usr/bin/python3 # Debian's; another may come first in PATH
jobs=$(nproc)

passed=0 failed=0 skipped=0
summary=()

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; }

# count NAME PASSED FAILED SKIPPED: adds to the totals and to the summary, with the time since the heading.
count() {
  ((passed += $2, failed += $3, skipped += $4)) || true
  summary+=("$(printf '%-14s %4d passed %4d failed %4d skipped %5d s' "$@" "$((SECONDS - began))")")
}

heading() {
  began=$SECONDS
  printf '\n=== %s\n' "$*"
}

# Each build is made once, however many groups ask. Of those but debug, only what is used here.
declare -A options=([debug]="" [release]="-DFLOE_TESTS=ON" [tsan]="")
declare -A targets=([debug]=all [release]="floed floe floe-rendezvous floe-ice packet_bench floe_package_files floe_sim_matrix_test floe_sim_soak_test"
  [tsan]="floed floe floe-rendezvous")
declare -A built=()
build() {
  local preset=$1 status=0
  local log=build/$preset.log
  [[ -n ${built[$preset]:-} ]] && return "$((built[$preset] - 1))"
  heading "build ($preset)"
  # shellcheck disable=SC2086 # lists of words
  { cmake --preset "$preset" ${options[$preset]} >"$log" 2>&1 &&
    nice cmake --build "build/$preset" -j "$jobs" --target ${targets[$preset]} >>"$log" 2>&1; } || status=1
  if ((status)); then
    grep -E -A6 'error|FAILED|warning:' "$log" | head -n 200 || tail -n 50 "$log"
    count "build $preset" 0 1 0
  else
    summary+=("$(printf '%-49s %5d s' "build $preset" "$((SECONDS - began))")")
    echo "built in build/$preset"
  fi
  built[$preset]=$((status + 1))
  return "$status"
}

check_format() {
  heading "formatting"
  local files
  # The checkout may belong to whoever called sudo, which git would otherwise refuse.
  mapfile -t files < <(git -c safe.directory="$root" ls-files '*.h' '*.cpp')
  if printf '%s\0' "${files[@]}" | xargs -0 clang-format-19 --dry-run -Werror; then
    echo "${#files[@]} files are as clang-format wants them"
    count formatting 1 0 0
  else
    count formatting 0 1 0
  fi
}

# attribute NAME FILE: a number of the first <testsuite> element of a JUnit file.
attribute() { grep -m1 -oP "\\b$1=\"\\K[0-9]+" "$2" || echo 0; }

# run_ctest NAME PRESET ARGUMENTS...: the tests of a build that the arguments select.
run_ctest() {
  local name=$1 preset=$2 report total bad missed
  shift 2
  build "$preset" || return 0
  heading "$name"
  report=$root/build/$name.xml
  rm -f "$report"
  # Passing tests go without saying.
  ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" --timeout 300 --output-junit "$report" "$@" 2>&1 |
    grep -vE '^ *Start +[0-9]+:|Passed +[0-9.]+ sec *$' || true
  total=$([[ -e $report ]] && attribute tests "$report" || echo 0)
  if ((total == 0)); then # no report, or nothing in it: either way, what was asked for did not run
    count "$name" 0 1 0
    return 0
  fi
  bad=$(attribute failures "$report")
  missed=$(($(attribute skipped "$report") + $(attribute disabled "$report")))
  count "$name" "$((total - bad - missed))" "$bad" "$missed"
}

# run_counted NAME COMMAND...: a test program whose last line is "N passed, N failed[, N skipped]...", or "N caught, N missed".
run_counted() {
  local name=$1 last status=0
  shift
  heading "$name"
  "$@" 2>&1 | tee "build/$name.log" || status=1
  last=$(tail -n 1 "build/$name.log")
  if [[ $last =~ ^([0-9]+)\ (passed|caught),\ ([0-9]+)\ (failed|missed)(,\ ([0-9]+)\ skipped)? ]]; then
    local bad=${BASH_REMATCH[3]}
    # It said that nothing failed and yet it did.
    if ((status && bad == 0)); then bad=1; fi
    count "$name" "${BASH_REMATCH[1]}" "$bad" "${BASH_REMATCH[6]:-0}"
  else
    count "$name" 0 1 0
  fi
}

run_unit() {
  check_format
  run_ctest unit debug -E '^fuzz\.' "$@"
}

run_fuzz_replay() { run_ctest fuzz-replay debug -R '^fuzz\.'; }

run_sim() {
  FLOE_SIM_SEEDS=${FLOE_SIM_SEEDS:-1000} run_ctest sim release -R '^All/MatrixTest\.'
  FLOE_SIM_EVENTS=1 FLOE_SIM_NODES=2 FLOE_SIM_SEEDS=${FLOE_SIM_LIVES:-10000} run_ctest lives release -R '^SoakTest\.'
}

run_netns() {
  build release || return 0
  run_counted netns "$python" tests/netns/run.py
}

run_tsan() {
  build tsan || return 0
  FLOE_BIN=$root/build/tsan/app run_counted tsan "$python" tests/netns/run.py test_tsan
}

run_package() {
  build release || return 0
  run_counted package "$python" tests/netns/run.py test_package
}

run_kernel() {
  build release || return 0
  run_counted kernel "$python" tests/netns/run.py test_kernel_wireguard
}

run_bench() {
  build release || return 0
  mkdir -p build/bench
  run_counted bench "$python" tests/netns/run.py --bench bench_tunnel
  heading "the steps of the packet path"
  build/release/tests/bench/packet_bench --benchmark_out=build/bench/packet.json --benchmark_out_format=json 2>&1 | grep -E '^(BM_|Benchmark)'
}

finish() {
  # Under sudo, the build is to belong to whoever asked for it; not so the Debian system kept in it.
  if [[ -n ${SUDO_UID:-} ]]; then
    find build -path build/package-test -prune -o -exec chown -h "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" {} +
  fi
}

groups=("${@:-all}")
for group in "${groups[@]}"; do
  case $group in
    unit | fuzz-replay | sim | netns | tsan | package | kernel | lab | mutations | bench | all) ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done
if ((EUID != 0)) && [[ " ${groups[*]} " =~ \ (netns|tsan|package|kernel|lab|bench|all)\  ]]; then
  echo "tests/run.sh: ${groups[*]}: these tests make network namespaces and need root: sudo $0 ${groups[*]}" >&2
  exit 1
fi

dependencies=(test)
for group in bench kernel; do
  if [[ " ${groups[*]} " == *" $group "* ]]; then dependencies+=("$group"); fi
done
packaging/install-deps.sh "${dependencies[@]}"
mkdir -p build
trap finish EXIT
started=$SECONDS
# Without root, the tests that make a TUN device are left out.
as_user=()
if ((EUID != 0)); then as_user=(-LE root); fi

for group in "${groups[@]}"; do
  case $group in
    unit) run_unit "${as_user[@]}" ;;
    fuzz-replay) run_fuzz_replay ;;
    sim) run_sim ;;
    netns) run_netns ;;
    tsan) run_tsan ;;
    package) run_package ;;
    lab) run_counted lab "$python" tests/netns/lab.py selftest ;;
    mutations) run_counted mutations nice tests/mutations/run.sh ;;
    kernel) run_kernel ;;
    bench) run_bench ;;
    all)
      run_unit
      run_fuzz_replay
      run_sim
      run_netns
      run_tsan
      run_package
      ;;
  esac
done

heading "summary"
printf '%s\n' "${summary[@]}"
printf 'in %d min %d s\n' "$(((SECONDS - started) / 60))" "$(((SECONDS - started) % 60))"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
