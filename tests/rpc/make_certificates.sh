#!/usr/bin/env bash
# Usage: tests/rpc/make_certificates.sh FOLDER [NAME...]
# For tests: an authority of its own, and a certificate of it for localhost, 127.0.0.1 and
# each NAME, in FOLDER as ca.crt, tls.crt and tls.key. Valid for two days.
set -euo pipefail
folder="$1"; shift
mkdir -p "$folder"
cd "$folder"
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 2 -subj "/CN=Cadre test authority" 2>/dev/null
openssl req "${key[@]}" -keyout tls.key -out tls.csr -subj "/CN=cadre" 2>/dev/null
names="DNS:localhost,IP:127.0.0.1"
for name in "$@"; do names+=",DNS:$name"; done
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
  -extfile <(echo "subjectAltName=$names") -out tls.crt 2>/dev/null
rm -f tls.csr ca.key ca.srl
