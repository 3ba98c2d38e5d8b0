#!/bin/sh
# Brings back each known defect in a copy of the sources and expects the test named in its patch to fail.
# Usage: tests/mutations/run.sh [PATCH...]. Needs what a build needs; takes a minute for each patch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
[ $# -gt 0 ] || set -- "$here"/*.patch

git -C "$root" ls-files -z | (cd "$root" && xargs -0 tar cf - 2>/dev/null) | tar xf - -C "$copy"
cd "$copy"
cmake --preset debug -DFLOE_TESTS=ON >/dev/null
ninja -C build/debug floe_ice_test >/dev/null
build/debug/ice/floe_ice_test >/dev/null || { echo "the tests fail without any defect"; exit 1; }

missed=0
for patch; do
    name=$(basename "$patch" .patch)
    filter=$(sed -n 's/^Test: //p' "$patch")
    patch -p1 -s <"$patch"
    ninja -C build/debug floe_ice_test >build.log || { cat build.log; exit 1; }
    if build/debug/ice/floe_ice_test --gtest_filter="$filter" >test.log 2>&1; then
        echo "MISSED $name: $filter passes"
        missed=1
    else
        echo "caught $name: $filter"
    fi
    patch -p1 -s -R <"$patch"
done
exit $missed
