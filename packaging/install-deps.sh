#!/usr/bin/env bash
# Installs the Debian packages that a task needs: packaging/install-deps.sh [build|demo|test|fuzz|package|bench|kernel]...
# Without a group: build. Installs what is missing and nothing else; says nothing to download when all is there.
# The lists are read by name, which shellcheck cannot see.
# shellcheck disable=SC2034
set -euo pipefail

# What compiles the programs.
build=(
  g++ cmake ninja-build pkg-config
  libuv1-dev libsodium-dev libssl-dev libnl-3-dev libnl-route-3-dev
  nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libexpected-dev
  libspdlog-dev libfmt-dev # used as headers only
  libminiupnpc-dev
)
# What the laboratory of network namespaces needs besides.
demo=(
  "${build[@]}"
  iproute2 nftables procps iputils-ping conntrack tcpdump iperf3 coturn openssl
  miniupnpd-nftables # the program alone: what would start it as a service is in miniupnpd
  util-linux # unshare, setpriv
  kmod       # modprobe, where the kernel has its network parts as modules
  python3    # the laboratory itself; at least 3.11
)
# What makes the .deb packages, and boots them in a bare Debian.
package=(
  "${demo[@]}"
  dpkg-dev file # dpkg-shlibdeps, and how CPack tells programs from text
  lintian debootstrap ca-certificates
)
# What every test needs.
test=(
  "${package[@]}"
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
  clang-format-19                # the check of the formatting
  wireguard-go wireguard-tools   # the other implementation that floe must understand
  tshark                         # reads its packets, given the keys
  libnice-dev libglib2.0-dev python3-aioice # and other ICE agents
  golang-go golang-github-pion-ice.v2-dev chromium
  git                            # which files are ours
)
# What measures floe beside other VPNs.
bench=(
  "${demo[@]}"
  libbenchmark-dev libgtest-dev libgmock-dev librapidcheck-dev
  wireguard-go wireguard-tools openvpn nebula tinc
  ethtool # to switch segmentation offload off
  git     # which commit was measured
)
# What boots another kernel, whose WireGuard floe must understand.
kernel=("${test[@]}" qemu-system-x86 busybox-static)
# What runs the fuzzers; the runtime library is a package of its own.
fuzz=("${build[@]}" clang-19 libclang-rt-19-dev)

die() {
  echo "install-deps: $*" >&2
  exit 1
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

groups=("${@:-build}")
wanted=()
for group in "${groups[@]}"; do
  case $group in
    build | demo | package | test | fuzz | bench | kernel) ;;
    *)
      echo "usage: install-deps.sh [build|demo|package|test|fuzz|bench|kernel]..." >&2
      exit 2
      ;;
  esac
  declare -n list=$group
  wanted+=("${list[@]}")
done

command -v dpkg-query >/dev/null || die "this is not a Debian system; see the lists in $0 for what floe needs"

missing=()
for name in $(printf '%s\n' "${wanted[@]}" | sort -u); do
  is_installed "$name" || missing+=("$name")
done
if ((${#missing[@]} == 0)); then
  echo "install-deps: everything for ${groups[*]} is installed"
  exit 0
fi
((EUID == 0)) || die "run as root (sudo) to install: ${missing[*]}"

echo "install-deps: installing ${missing[*]}"
# Packages such as coturn start a server when they are installed. Nothing here wants one: forbid it while apt runs.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Update::Error-Mode=any -o Acquire::Retries=3)
log=$(mktemp)
"${apt[@]}" update >"$log" 2>&1 || {
  # An unrelated broken source must not stop us; what matters is whether the packages can be had.
  echo "install-deps: apt-get update complained; going on" >&2
  grep -E '^(E|W):' "$log" >&2 || true
}
"${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null || {
  tail -n 40 "$log" >&2
  rm -f "$log"
  die "apt-get install failed; floe is built on Debian 12"
}
rm -f "$log"

# Nor is a server to start at the next boot.
for name in coturn iperf3 openvpn nebula tinc; do
  if [[ " ${missing[*]} " == *" $name "* ]] && command -v systemctl >/dev/null; then
    systemctl --quiet disable "$name" 2>/dev/null || true
  fi
done
echo "install-deps: done"
