#!/usr/bin/env bash
# Shows what floe does, on one machine: sudo app/demo.sh [--nat easy|hard] [--keep] [--down]
#
# Installs what it needs, builds floe, and makes two machines behind two home routers out of network namespaces, with a
# small internet between them. Then it links the two and shows the link. Nothing is left behind.
#
#   --nat hard   both routers are of the kind that no direct path gets through: the link goes by a relay
#   --keep       leave the two machines up, to look around in them
#   --down       remove what --keep has left
#
# It exits with 0 if the link came up, 1 if something failed, 2 if it was called wrongly, 130 after Ctrl-C.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
python=/usr/bin/python3 # Debian's; another may come first in PATH

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' app/demo.sh; }

arguments=("$@") down=
while (($#)); do
  case $1 in
    --nat=easy | --nat=hard | --keep) ;;
    --nat)
      shift
      [[ ${1:-} == easy || ${1:-} == hard ]] || { usage >&2 && exit 2; }
      ;;
    --down) down=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
if ((EUID != 0)); then
  echo "app/demo.sh: making networks needs root: sudo app/demo.sh ${arguments[*]}" >&2
  exit 1
fi
if [[ $down ]]; then exec "$python" app/demo.py "${arguments[@]}"; fi

packaging/install-deps.sh demo
mkdir -p build
give_back() { # under sudo, the build is to belong to whoever asked for it; not so the Debian system of the tests
  if [[ -n ${SUDO_UID:-} ]]; then
    find build -path build/package-test -prune -o -exec chown -h "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" {} +
  fi
}
trap give_back EXIT
log=build/demo-build.log
echo "building floe (minutes the first time, seconds after that; see $log) ..."
if ! { cmake --preset release && cmake --build build/release --target floed floe floe-rendezvous; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "app/demo.sh: the build failed; see $log" >&2
  exit 1
fi
give_back
trap - EXIT
exec "$python" app/demo.py "${arguments[@]}"
