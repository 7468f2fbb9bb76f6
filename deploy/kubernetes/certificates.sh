#!/bin/sh
# Makes the certificates of a pool of BuildKit daemons: an authority, one certificate for all daemons and one for clients.
# certificates.sh DIR NAME...: every NAME by which clients reach the daemons, such as buildkitd.ci.svc; needs openssl.
set -eu
dir=$1
shift
days=${DAYS:-365}
mkdir -p "$dir"
cd "$dir"
umask 077
names=
for name in "$@"; do names="$names${names:+,}DNS:$name"; done

[ -f ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj "/CN=buildkitd authority" -keyout ca.key -out ca.pem 2>/dev/null

# certificate FILE USE NAMES
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'extendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile "$1.ext" -out "$1.pem" 2>/dev/null
  rm "$1.csr" "$1.ext"
}
certificate server serverAuth "$names"
certificate client clientAuth "DNS:client"
