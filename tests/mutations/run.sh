#!/bin/sh
# Brings back each known defect in a copy of the sources and expects the test named in its patch to fail.
# Usage: tests/mutations/run.sh [PATCH...]. Needs what a build needs. The first lines of a patch say which test
# ("Test:", a filter of GoogleTest) of which program ("Target:", floe_ice_test if it does not say) is to fail.
# The last line is "N caught, N missed"; a patch that does not apply or build, or names no test, is missed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' INT TERM HUP
[ $# -gt 0 ] || set -- "$here"/*.patch
for patch; do # seen from the copy
    shift
    set -- "$@" "$(realpath "$patch")"
done

# header NAME PATCH: what its first lines say.
header() { sed -n "/^---/q;s/^$1: //p" "$2"; }

# target PATCH: the program whose test is to fail.
target() {
    named=$(header Target "$1")
    echo "${named:-floe_ice_test}"
}

# run_test TARGET FILTER: runs that test of the copy; one that does not end has failed.
run_test() { timeout 300 "$(find build/debug -name "$1" -type f)" --gtest_filter="$2" >test.log 2>&1; }

# verdict PATCH: brings its defect back, and says on one line what came of it.
verdict() {
    program=$(target "$1")
    filter=$(header Test "$1")
    if ! patch -p1 -s --dry-run <"$1" >/dev/null 2>&1; then
        echo "it does not apply"
        return
    fi
    patch -p1 -s <"$1"
    if ! ninja -C build/debug "$program" >build.log 2>&1; then
        echo "it does not build: $(grep -m1 'error' build.log)"
    elif run_test "$program" "$filter"; then
        echo "$filter passes"
    else
        echo caught
    fi
    patch -p1 -s -R <"$1"
}

git -c safe.directory="$root" -C "$root" ls-files -z | (cd "$root" && xargs -0 tar cf - 2>/dev/null) | tar xf - -C "$copy"
cd "$copy"
cmake --preset debug -DFLOE_TESTS=ON >/dev/null
for program in $(for patch; do target "$patch"; done | sort -u); do
    ninja -C build/debug "$program" >build.log 2>&1 || { tail -n 20 build.log; exit 1; }
done
for patch; do
    filter=$(header Test "$patch")
    if ! run_test "$(target "$patch")" "$filter" || ! grep -q '^\[  PASSED  \] [1-9]' test.log; then
        echo "$filter does not pass without any defect"
        exit 1
    fi
done

caught=0 missed=0
for patch; do
    found=$(verdict "$patch")
    if [ "$found" = caught ]; then
        caught=$((caught + 1))
        echo "caught $(basename "$patch" .patch): $(header Test "$patch")"
    else
        missed=$((missed + 1))
        echo "MISSED $(basename "$patch" .patch): $found"
    fi
done
echo "$caught caught, $missed missed"
[ "$missed" -eq 0 ]
