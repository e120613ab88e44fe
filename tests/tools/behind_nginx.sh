#!/bin/sh
# Puts nginx with its defaults in front of a running bridge, so that the bridge is asked over HTTP/1.0:
#   tests/tools/behind_nginx.sh http://127.0.0.1:8080 [command...]
# Pages, documents, batches and files must come through it as they come directly, and whole; an answer that is too large must be refused.
# A command is run with the address of nginx as its last argument. Needs curl, and nginx of the Debian package; installs nothing.
set -eu

bridge=${1:?usage: $0 http://host:port [command...]}
shift
PATH=$PATH:/usr/sbin
work=$(mktemp -d)
# Its workers may be others than who starts it.
chmod 755 "$work"
nginx_pid=

clean_up() {
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
    [ -z "$nginx_pid" ] || wait "$nginx_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    [ -f "$work/error.log" ] && tail -n 20 "$work/error.log" >&2
    exit 1
}

# nginx takes no free port by itself: the next is tried until one is free.
start_nginx() {
    port=18080
    while [ "$port" -lt 18120 ]; do
        cat >"$work/nginx.conf" <<CONF
daemon off;
pid $work/pid;
error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass $bridge;
        }
    }
}
CONF
        nginx -p "$work" -c "$work/nginx.conf" 2>"$work/start.log" &
        nginx_pid=$!
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            curl -sf -o /dev/null "http://127.0.0.1:$port/healthz" && kill -0 "$nginx_pid" 2>/dev/null && return
            kill -0 "$nginx_pid" 2>/dev/null || break
            sleep 0.2
        done
        port=$((port + 1))
    done
    cat "$work/start.log" >&2
    fail "nginx does not start"
}

# A path must give the same bytes through nginx, and a length.
same() {
    path=$1
    shift
    curl -sSf "$@" "$bridge$path" -o "$work/direct" || fail "$path does not answer"
    curl -sSf "$@" "$front$path" -D "$work/headers" -o "$work/through" || fail "$path does not come through nginx"
    # Parts of a batch say how old they are.
    LC_ALL=C sed -i 's/"age":"[0-9]*"//g' "$work/direct" "$work/through"
    cmp -s "$work/direct" "$work/through" || fail "$path is another one through nginx"
    grep -qi '^content-length:' "$work/headers" || fail "$path has no length through nginx"
}

start_nginx
front=http://127.0.0.1:$port
# What stands in answers of the bridge's own address is the same with the Host that nginx passes on: that of the bridge.
same '/odata/jobindsats/y25i01/$metadata'
same '/odata/jobindsats/y25i01/Kommuner?$top=1000'
same '/odata/Datasets'
same '/export/y25i01/Kommuner.csv'
same '/export/y25i01/Kommuner.parquet'
same '/export/y25i01/Kommuner.parquet' -H 'Range: bytes=1000-1999'
same '/open/y25i01/Landet.xlsx'
same '/metrics/indicators'
same '/odata/jobindsats/y25i01/$batch' -H 'Content-Type: application/json' \
    --data '{"requests":[{"id":"1","method":"GET","url":"Kommuner?$top=900"},{"id":"2","method":"GET","url":"Landet"}]}'
status=$(curl -s -o "$work/large" -w '%{http_code}' "$front/export/y25i01/Data.csv?\$top=5000000")
[ "$status" = 400 ] || fail "a file that can be too large is answered with $status"
grep -q TooLargeForHttp10 "$work/large" || fail "a file that can be too large is not refused as such"
[ $# -eq 0 ] || "$@" "$front" || fail "$* fails behind nginx"
echo "nginx with its defaults passes everything on"
