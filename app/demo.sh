#!/usr/bin/env bash
# Shows what floe does, on one machine: sudo app/demo.sh [--nat easy|hard] [--keep] [--down]
#
# Installs what it needs, builds floe, and makes two machines behind two home routers out of network namespaces, with a
# small internet between them. Then it links the two and shows the link. Nothing is left behind.
#
#   --nat hard   both routers are of the kind that no direct path gets through: the link goes by a relay
#   --keep       leave the two machines up, to look around in them
#   --down       remove what --keep has left
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
  *" -h "* | *" --help "*)
    sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' app/demo.sh
    exit 0
    ;;
esac
if ((EUID != 0)); then
  echo "app/demo.sh: making networks needs root: sudo $0 $*" >&2
  exit 1
fi
case " $* " in
  *" --down "*) exec /usr/bin/python3 app/demo.py "$@" ;;
esac

packaging/install-deps.sh demo
echo "building floe (the first time takes some minutes) ..."
mkdir -p build
give_back() { # under sudo, the build is to belong to whoever asked for it
  if [[ -n ${SUDO_UID:-} ]]; then chown -hR "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" build; fi
}
trap give_back EXIT
if ! { cmake --preset release && cmake --build build/release; } >build/demo-build.log 2>&1; then
  tail -n 40 build/demo-build.log >&2
  echo "app/demo.sh: the build failed; see build/demo-build.log" >&2
  exit 1
fi
give_back
trap - EXIT
exec /usr/bin/python3 app/demo.py "$@"
