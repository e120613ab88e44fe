#!/usr/bin/env bash
# Scrapes the bridge and its Debian peers with the same series, one after the other in one run, and prints a table:
#   benches/scrape.sh target/release/jobindsats-bridge [seconds for each measurement]
# Each serves the body that the bridge renders: node_exporter from a text file, pushgateway after one push. CPU is the process' own
# time divided by the requests it answered; memory is what is resident at the end.
# Needs curl, wrk and Debian's prometheus-node-exporter and prometheus-pushgateway. Run it on a machine that does nothing else.
set -euo pipefail

readonly bridge=${1:?usage: $0 path/to/jobindsats-bridge [seconds]}
readonly seconds=${2:-5}
readonly connections=8
readonly port=21480
work=$(mktemp -d)
readonly work
pid=

stop() {
    [[ -n $pid ]] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

wait_for() {
    local patience=300
    until "$@"; do
        ((patience--)) || { echo "waited in vain: $*" >&2 && exit 1; }
        sleep 0.2
    done
}

answers() {
    curl --silent --fail --output /dev/null "http://127.0.0.1:$port$1"
}

# About 320 series each: a value and two changes of every municipality and of the country.
write_indicators() {
    local number separator=
    {
        printf '{"indicators": ['
        for number in $(seq $(($1 / 320))); do
            printf '%s{"id": "nr_%s", "title": "Ledige", "table": "y25i01", "measure": "Antal ledige personer", "period_type": "M", "quantity": "persons"}' \
                "$separator" "$number"
            separator=,
        done
        printf ']}'
    } >"$work/indicators.json"
}

all_are_up() {
    local text
    text=$(curl --silent "http://127.0.0.1:$port/metrics/indicators") || return 1
    [[ -n $text ]] && ! grep -q '^jobindsats_indicator_up{.*} 0$' <<<"$text"
}

start_bridge() {
    env -u JOBINDSATS_API_KEY -u JOBINDSATS_API_KEY_FILE -u JOBINDSATS_API_URL BRIDGE_LISTEN=127.0.0.1:$port \
        BRIDGE_DATA_DIR="$work/data" BRIDGE_INDICATORS="$work/indicators.json" BRIDGE_SERIES_LIMIT=1000000 BRIDGE_LOG=error "$bridge" &
    pid=$!
    wait_for all_are_up
    mkdir -p "$work/text"
    curl --silent --fail "http://127.0.0.1:$port/metrics/indicators" --output "$work/text/body.prom"
}

start_node_exporter() {
    prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory="$work/text" \
        --web.disable-exporter-metrics --web.listen-address=127.0.0.1:$port --log.level=error 2>"$work/log" &
    pid=$!
    wait_for answers /metrics
}

start_pushgateway() {
    prometheus-pushgateway --web.listen-address=127.0.0.1:$port --log.level=error 2>"$work/log" &
    pid=$!
    wait_for answers /-/ready
    curl --silent --show-error --fail --data-binary "@$work/text/body.prom" "http://127.0.0.1:$port/metrics/job/bench"
}

# Ticks of processor time that the process has used.
ticks() {
    awk '{print $14 + $15}' "/proc/$pid/stat"
}

measure() {
    local name=$1 path=$2 encoding=$3 before after
    local url=http://127.0.0.1:$port$path
    curl --silent --fail --output /dev/null "$url"
    before=$(ticks)
    wrk --threads 2 --connections $connections --duration "${seconds}s" --latency --header "Accept-Encoding: $encoding" "$url" >"$work/wrk"
    after=$(ticks)
    if grep -E 'Non-2xx|Socket errors| 0 requests in' "$work/wrk" >&2; then
        echo "$name failed under load; give it more seconds" >&2
        exit 1
    fi
    awk -v name="$name" -v encoding="$encoding" -v series="$series" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" \
        -v memory="$(awk '/^VmRSS/ {print $2 / 1024}' "/proc/$pid/status")" '
        /99%/ { p99 = $2 }
        /requests in/ { requests = $1 }
        /^Requests\/sec/ { rate = $2 }
        END { printf "| %d | %s | %s | %.0f | %s | %.3f ms | %.0f MB |\n", series, name, encoding, rate, p99, 1000 * ticks / hertz / requests, memory }
    ' "$work/wrk"
}

echo "| series | program | encoding | requests/s | p99 | CPU per scrape | memory |"
echo "|---|---|---|---|---|---|---|"
for size in 2000 20000; do
    write_indicators "$size"
    rm -rf "$work/data"
    start_bridge
    series=$(grep -vc '^#' "$work/text/body.prom")
    for encoding in identity gzip; do measure bridge /metrics/indicators "$encoding"; done
    stop
    start_node_exporter
    for encoding in identity gzip; do measure "node_exporter, text file" /metrics "$encoding"; done
    stop
    start_pushgateway
    for encoding in identity gzip; do measure pushgateway /metrics "$encoding"; done
    stop
done
