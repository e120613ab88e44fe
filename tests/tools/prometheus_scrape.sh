#!/bin/sh
# Checks a running bridge with the programs that people will point at it:
#   tests/tools/prometheus_scrape.sh http://127.0.0.1:8080 [seconds to wait] [indicators expected] [command...]
# promtool must find nothing in either exposition; a Prometheus started on loopback with the configuration of grafana/ must scrape
# both paths and show the published figures of every period through remote read.
# A command is run while that Prometheus is up, with its address as the last argument; for instance
#   python3 tests/tools/grafana_checks.py --prometheus
# Needs curl, python3, and promtool and prometheus of the Debian package `prometheus`; installs nothing.
set -eu

bridge=${1:?usage: $0 http://host:port [seconds to wait] [indicators expected] [command...]}
patience=${2:-60}
expected=${3:-8}
shift "$(($# < 3 ? $# : 3))"
target=${bridge#http://}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
prometheus_pid=
asking_pid=

clean_up() {
    [ -z "$asking_pid" ] || kill "$asking_pid" 2>/dev/null || true
    if [ -n "$prometheus_pid" ]; then
        kill "$prometheus_pid" 2>/dev/null || true
        wait "$prometheus_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    [ -f "$work/prometheus.log" ] && tail -n 20 "$work/prometheus.log" >&2
    exit 1
}

lint() {
    curl -sSf "$bridge$1" -D "$work/headers" -o "$work/body" || fail "$1 does not answer"
    grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' "$work/headers" ||
        fail "$1 has the wrong content type"
    [ "$(tail -c 1 "$work/body" | od -An -tx1 | tr -d ' ')" = 0a ] || fail "$1 does not end with a line feed"
    promtool check metrics <"$work/body" >"$work/findings" 2>&1 || fail "promtool on $1: $(cat "$work/findings")"
    [ ! -s "$work/findings" ] || fail "promtool on $1: $(cat "$work/findings")"
    # promtool of Debian does not see a series that stands there twice.
    doubled=$(grep -v '^#' "$work/body" | sed 's/ [^ ]*$//' | sort | uniq -d | head -n 1)
    [ -z "$doubled" ] || fail "$1 has a series twice: $doubled"
    echo "promtool finds nothing in $1 ($(grep -vc '^#' "$work/body") series)"
}

# A request that is counted, so that there is something to show.
curl -s "$bridge/healthz" -o /dev/null || fail "the bridge does not answer"
up=0
for _ in $(seq "$patience"); do
    up=$(curl -s "$bridge/metrics/indicators" | grep -c '^jobindsats_indicator_up{.*} 1$' || true)
    [ "$up" -lt "$expected" ] || break
    sleep 1
done
[ "$up" -ge "$expected" ] || fail "$up indicators are up, expected at least $expected"
lint /metrics
lint /metrics/indicators
curl -sSf -H 'Accept-Encoding: gzip' "$bridge/metrics/indicators" -D "$work/headers" -o "$work/body.gz"
grep -qi '^content-encoding: gzip' "$work/headers" || fail "/metrics/indicators does not honour Accept-Encoding: gzip"
gzip -t "$work/body.gz" || fail "the gzip of /metrics/indicators is broken"

# The configuration that is shipped, for this bridge, faster, and with an external label as many have one.
configure() {
    sed -e "s/bridge:8080/$target/; s/localhost:9090/127.0.0.1:$port/" \
        -e 's/scrape_interval: .*/scrape_interval: 2s/; s/scrape_timeout: .*/scrape_timeout: 2s/' \
        -e 's/^global:/global:\n  external_labels: {replica: a}/' "$root/grafana/prometheus/prometheus.yml" >"$work/prometheus.yml"
    promtool check config "$work/prometheus.yml" >"$work/findings" 2>&1 || fail "$(cat "$work/findings")"
}

# Prometheus takes no port of its own choosing, so one that is free is looked for and taken at once; another try if it was lost.
start_prometheus() {
    port=$((20000 + ($$ * 7 + $1 * 101) % 20000))
    configure
    prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
        --web.listen-address="127.0.0.1:$port" --log.level=warn >"$work/prometheus.log" 2>&1 &
    prometheus_pid=$!
    for _ in $(seq 50); do
        kill -0 "$prometheus_pid" 2>/dev/null || return 1
        curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    return 1
}
started=
for try in 1 2 3; do
    if start_prometheus "$try"; then
        started=yes
        break
    fi
    kill "$prometheus_pid" 2>/dev/null || true
    wait "$prometheus_pid" 2>/dev/null || true
done
[ -n "$started" ] || fail "Prometheus does not start"
api=http://127.0.0.1:$port/api/v1

# The number that an instant query answers, or nothing.
query() {
    curl -sSf -G "$api/query" --data-urlencode "query=$1" |
        sed -n 's/.*"value":\[[^,]*,"\([^"]*\)"\].*/\1/p'
}

scraped=
for _ in $(seq "$patience"); do
    if [ "$(query 'sum(up{job=~"jobindsats-.*"})')" = 2 ]; then
        scraped=yes
        break
    fi
    sleep 1
done
curl -sSf "$api/targets?state=active" >"$work/targets"
[ -n "$scraped" ] || fail "not both paths are up: $(cat "$work/targets")"
[ "$(grep -o '"lastError":""' "$work/targets" | wc -l)" -eq 3 ] || fail "a scrape had an error: $(cat "$work/targets")"

indicators=$(query 'count(jobindsats_indicator_info)')
[ "${indicators:-0}" -ge "$expected" ] || fail "${indicators:-no} indicators are described, expected at least $expected"
country=$(query 'count(jobindsats_indicator_info * on (indicator) group_right {__name__=~"jobindsats_country_.*", baseline=""})')
echo "both paths are up; $indicators indicators, ${country:-none} figures of the country"
[ "${country:-0}" -ge 1 ] || fail "no figure of the country can be queried"
python3 "$root/tests/tools/history_checks.py" "$bridge" "http://127.0.0.1:$port" || fail "history is not what was published"
# The upstream's response time has something to show only while the upstream is asked: for one table after the other, most of which
# nobody has asked for yet.
ask_table_by_table() {
    curl -sSf "$bridge/odata/Datasets?\$select=Identifier" | grep -o '"Identifier":"[^"]*"' | cut -d '"' -f 4 |
        while read -r table; do
            curl -s "$bridge/odata/jobindsats/$table/Hovedtal?\$top=1" -o /dev/null || exit 0
            sleep 1
        done
}
ask_table_by_table >/dev/null 2>&1 &
asking_pid=$!
[ $# -eq 0 ] || "$@" "http://127.0.0.1:$port"
