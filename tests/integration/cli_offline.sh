#!/usr/bin/env bash
# The verbs of floe that need no daemon: what they print, and with which codes they exit.
set -euo pipefail
floe=$(realpath "${1:?usage: cli_offline.sh FLOE}")
unset FLOE_SOCKET
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
umask 077
failed=0

fail() { printf 'FAILED: %s\n' "$*"; failed=1; }

# expect CODE COMMAND...: runs it with stdout in ./out and stderr in ./err.
expect() {
  local code=$1 got=0
  shift
  "$@" >out 2>err || got=$?
  ((got == code)) || fail "exit code $got, not $code: $* ($(<err))"
}

# says FILE PATTERN: the file must match the extended regular expression.
says() { grep -qE -- "$2" "$1" || fail "no \"$2\" in $1: $(<"$1")"; }
silent() { [[ ! -s $1 ]] || fail "$1 is not empty: $(<"$1")"; }

# Keys, in WireGuard's form.
key='^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$'
expect 0 "$floe" key gen
says out "$key"
silent err
cp out a.key
expect 0 "$floe" key pub <a.key
says out "$key"
cp out a.pub
expect 0 "$floe" key psk
says out "$key"
cp out psk
expect 0 "$floe" genkey
cp out b.key
expect 0 "$floe" pubkey <b.key
cp out b.pub
expect 0 "$floe" genpsk
cmp -s a.key b.key && fail 'two generated keys are the same'
expect 2 "$floe" key pub </dev/null
says err 'no private key'
expect 2 "$floe" key pub < <(cat a.key a.key)
if command -v wg >/dev/null; then
  cmp <(wg pubkey <a.key) a.pub || fail 'wg derives another public key'
  wg genkey >wg.key
  expect 0 "$floe" key pub <wg.key
  cmp <(wg pubkey <wg.key) out || fail 'wg derives another public key from its own'
fi

# A key that cannot be written is not reported as made; one that others can read is warned of.
if [[ -c /dev/full ]]; then
  got=0
  "$floe" key gen >/dev/full 2>err || got=$?
  ((got == 1)) || fail "exit code $got on a full disk"
fi
(umask 022; "$floe" key gen >open.key 2>err)
says err 'chmod 600'

# Configurations.
cat >good.toml <<TOML
[node]
name = "a"
private_key_file = "a.key"
addresses = ["10.71.0.1/24"]
[rendezvous]
urls = ["ws://198.51.100.10:8080"]
[[peer]]
name = "b"
public_key = "$(<b.pub)"
preshared_key_file = "psk"
allowed_ips = ["10.71.0.2/32"]
TOML
expect 0 "$floe" config check good.toml
says out '^good.toml: ok, 1 peer$'
mkdir elsewhere
expect 0 env -C elsewhere "$floe" config check ../good.toml
expect 0 "$floe" config show good.toml
cmp -s out good.toml || fail "config show prints something else: $(<out)"
expect 0 "$floe" config show --effective good.toml
says out '^listen_port = 41820$'
says out "^private_key_file = \"$work/a.key\"$"
mv out elsewhere/whole.toml
expect 0 "$floe" config show --effective elsewhere/whole.toml
cmp -s out elsewhere/whole.toml || fail "what config show prints does not read as the same: $(<out)"
sed 's/^name = "a"/nam = "a"/' good.toml >bad.toml
expect 2 "$floe" config show --effective bad.toml
says err '^bad.toml:2:1: node.nam: unknown key'
silent out
expect 2 "$floe" config check bad.toml
says err '^bad.toml:2:1: node.nam: unknown key; did you mean name\?$'
silent out
sed 's/a.key/open.key/' good.toml >bad.toml
expect 2 "$floe" config check bad.toml
says err '^bad.toml:3:20: node.private_key_file: names open.key, .*mode 0644.*; chmod 600 open.key$'
sed "s|$(<b.pub)|$(<a.pub)|" good.toml >bad.toml
expect 2 "$floe" config check bad.toml
says err "^bad.toml:9:14: peer.public_key: is this node's own key; "
expect 2 "$floe" config check none.toml
says err '^none.toml: cannot be read: '
grep -qF -e "$(<a.key)" out err && fail 'an error repeats the private key'

# Files for wg-quick become configurations that floed takes.
mkdir wg
{
  printf '[Interface]\nAddress = 10.0.0.2/24\nPrivateKey = %s\nPostUp = echo %%i\n\n' "$(<a.key)"
  printf '# nas\n[Peer]\nPublicKey = %s\nPresharedKey = %s\n' "$(<b.pub)" "$(<psk)"
  printf 'AllowedIPs = 10.0.0.0/24\nEndpoint = 192.0.2.1:51820\nPersistentKeepalive = 25\n'
} >wg0.conf
expect 0 "$floe" import wg wg0.conf -o wg/floe.toml
says out '^wg/floe.toml: 1 peer$'
says err '^wg0.conf:4: PostUp is left out'
expect 0 "$floe" config check wg/floe.toml
cmp a.key wg/floe.key || fail 'another private key was written'
cmp psk wg/nas.psk || fail 'another preshared key was written'
[[ $(stat -c %a wg/floe.key wg/nas.psk | sort -u) == 600 ]] || fail 'others may read the keys'
grep -qFf a.key -e "$(<psk)" wg/floe.toml && fail 'a secret is in floe.toml'
[[ $(ls -A wg | wc -l) == 3 ]] || fail "there is more than was to be written: $(ls -A wg)"
expect 1 "$floe" import wg wg0.conf -o wg/floe.toml
says err 'floe.key is there already; --force'
expect 0 "$floe" import wg wg0.conf -o wg/floe.toml --force
rm -r wg && mkdir wg
sed 's/^Endpoint = .*/Endpoint = nowhere/' wg0.conf >bad.conf
expect 2 "$floe" import wg bad.conf -o wg/floe.toml
says err '^bad.conf:11:1: Peer.Endpoint: '
sed 's/^AllowedIPs = .*/AllowedIPs = 10.0.0.2/' wg0.conf >bad.conf
expect 2 "$floe" import wg bad.conf -o wg/floe.toml
says err "^bad.conf: peer.allowed_ips: 10.0.0.2 is this node's own address"
[[ -z $(ls -A wg) ]] || fail "a bad file has left something: $(ls -A wg)"
expect 2 "$floe" import wg none.conf -o wg/floe.toml
says err 'none.conf: cannot be read'

# The rest.
expect 0 "$floe" version
says out '^floe [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 "$floe" version --json
says out '^\{"schema":"floe.version/1","version":"[0-9.]+"\}$'
expect 0 "$floe" --version
expect 0 "$floe" --help
says out 'Exit codes'
expect 2 "$floe" fly
silent out
expect 2 "$floe" key
expect 2 "$floe" ping
expect 2 "$floe" why b
expect 2 "$floe" wait --for nothing

# Nobody listens.
for verb in status 'ping b' up down 'status --check live'; do
  # shellcheck disable=SC2086  # verbs with arguments
  expect 3 "$floe" --socket "$work/none.sock" $verb
  says err 'floed is not running'
done
expect 3 "$floe" --socket "$work/none.sock"
FLOE_SOCKET=$work/none.sock expect 3 "$floe" status
says err 'none.sock'
expect 5 "$floe" wait --timeout 100ms --socket "$work/none.sock"
says err 'timed out'
expect 2 "$floe" --socket "$(printf 'x%.0s' {1..200})" status

exit "$failed"
