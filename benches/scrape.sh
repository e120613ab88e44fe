#!/usr/bin/env bash
# Scrapes the bridge and its Debian peers with the same series, one after the other in one run, and prints tables in Markdown:
#   benches/scrape.sh target/release/jobindsats-bridge [seconds for each measurement] [document]
# Each serves the series that the bridge renders: node_exporter from a text file, pushgateway after one push, sql_exporter from a
# table of PostgreSQL that it has read before. One connection at a time gives the latency of a scrape, eight give requests per second
# and the processor time that the program used for each; memory is what is resident at the end. The last table compares the bridge
# with the best of the others in each row.
# Needs curl, wrk and Debian's postgresql, prometheus-node-exporter, prometheus-pushgateway and prometheus-sql-exporter. Run it on a
# machine that does nothing else; with 5 seconds it takes about five minutes. In a document, such as docs/benchmarks.md, the tables take
# the place of what was measured before.
set -euo pipefail

# No setting and no key of the caller's reaches the bridge.
unset "${!BRIDGE_@}" "${!JOBINDSATS_@}"

readonly bridge=${1:?usage: $0 path/to/jobindsats-bridge [seconds]}
readonly seconds=${2:-5}
readonly document=${3:-}
readonly mark='<!-- measured -->'
readonly sizes=(2000 20000)
readonly connections=8
port=$((20000 + RANDOM % 10000))
readonly port database_port=$((port + 1))
work=$(mktemp -d)
readonly work
pid=
database=

stop() {
    [[ -n $pid ]] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}

clean_up() {
    stop
    [[ -z $database ]] || as_database pg_ctl --pgdata "$work/database" --mode immediate --silent stop || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
    echo "$*" >&2
    [[ ! -s $work/log ]] || tail -n 5 "$work/log" >&2
    exit 1
}

wait_for() {
    local patience=600
    until "$@"; do
        { [[ -z $pid ]] || kill -0 "$pid" 2>/dev/null; } && ((patience--)) || fail "waited in vain: $*"
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
    rm -rf "$work/data"
    BRIDGE_LISTEN=127.0.0.1:$port BRIDGE_DATA_DIR="$work/data" BRIDGE_INDICATORS="$work/indicators.json" \
        BRIDGE_SERIES_LIMIT=1000000 BRIDGE_LOG=error "$bridge" >"$work/log" 2>&1 &
    pid=$!
    wait_for all_are_up
    mkdir -p "$work/text"
    curl --silent --fail "http://127.0.0.1:$port/metrics/indicators" --output "$work/text/body.prom"
    series=$(grep -vc '^#' "$work/text/body.prom")
}

start_node_exporter() {
    prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory="$work/text" \
        --web.disable-exporter-metrics --web.listen-address=127.0.0.1:$port --log.level=error >"$work/log" 2>&1 &
    pid=$!
    wait_for answers /metrics
}

start_pushgateway() {
    prometheus-pushgateway --web.listen-address=127.0.0.1:$port --log.level=error >"$work/log" 2>&1 &
    pid=$!
    wait_for answers /-/ready
    curl --silent --show-error --fail --data-binary "@$work/text/body.prom" "http://127.0.0.1:$port/metrics/job/bench"
}

# PostgreSQL does not run as root.
as_database() {
    local command
    command=$(pg_config --bindir)/$1
    shift
    if ((EUID)); then "$command" "$@"; else runuser --user postgres -- "$command" "$@"; fi
}

ask_database() {
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --host 127.0.0.1 --port $database_port --username postgres "$@"
}

start_database() {
    chmod 755 "$work"
    install --directory --mode 700 "$work/database"
    ((EUID)) || chown postgres "$work/database"
    as_database initdb --pgdata "$work/database" --auth trust --username postgres --no-sync >"$work/log" 2>&1
    as_database pg_ctl --pgdata "$work/database" --silent --wait --log "$work/database/log" \
        --options "-c listen_addresses=127.0.0.1 -c port=$database_port -c unix_socket_directories=" start
    database=started
    ask_database --command 'CREATE TABLE figures (name text, indicator text, area_code text, area text, more text, value double precision)'
}

# The series of the text file, label by label.
fill_database() {
    awk '!/^#/ {
        brace = index($0, "{"); name = substr($0, 1, brace - 1); rest = substr($0, brace + 1)
        end = match(rest, /} [^ ]*$/); value = substr(rest, end + 2); rest = substr(rest, 1, end - 1) ","
        indicator = area_code = area = more = ""
        while (match(rest, /^[a-z_]+="[^"]*",/)) {
            pair = substr(rest, 1, RLENGTH - 2); rest = substr(rest, RLENGTH + 1)
            label = pair; sub(/=.*/, "", label); sub(/^[^"]*"/, "", pair)
            if (label == "indicator") indicator = pair
            else if (label == "area_code") area_code = pair
            else if (label == "area") area = pair
            else if (label != "source") more = more " " pair
        }
        print name "\t" indicator "\t" area_code "\t" area "\t" more "\t" value
    }' "$work/text/body.prom" >"$work/figures"
    ask_database --command 'TRUNCATE figures' --command '\copy figures FROM STDIN' <"$work/figures"
}

all_series_are_read() {
    [[ $(curl --silent "http://127.0.0.1:$port/metrics" | grep -c '^sql_figures{') == "$series" ]]
}

start_sql_exporter() {
    fill_database
    cat >"$work/sql.yml" <<EOF
jobs:
  - name: bench
    interval: 1h
    connections: ["postgres://postgres@127.0.0.1:$database_port/postgres?sslmode=disable"]
    queries:
      - name: figures
        help: Figures of the newest period.
        labels: [name, indicator, area_code, area, more]
        values: [value]
        query: SELECT name, indicator, area_code, area, more, value FROM figures
EOF
    prometheus-sql-exporter -config.file "$work/sql.yml" -web.listen-address 127.0.0.1:$port >"$work/log" 2>&1 &
    pid=$!
    wait_for all_series_are_read
}

# Ticks of processor time that the process has used.
ticks() {
    awk '{print $14 + $15}' "/proc/$pid/stat"
}

# Asks for as long as it takes to get enough answers, so that a slow program or a busy machine is measured as well.
load() {
    local duration=$seconds
    while ((duration <= 8 * seconds)); do
        wrk --threads "$1" --connections "$2" --duration "${duration}s" --timeout 60s --latency --header "Accept-Encoding: $3" "$4" >"$work/wrk"
        if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then
            fail "$4 failed under load"
        fi
        (($(awk '/requests in/ { print $1 }' "$work/wrk") < 10)) || return 0
        ((duration *= 2))
    done
    fail "$4 gives fewer than 10 answers in $((duration / 2)) seconds"
}

# The n-th per cent of the latencies, in milliseconds.
latency() {
    awk -v wanted="$1%" '$1 == wanted { print $2 ~ /us$/ ? $2 / 1000 : $2 ~ /ms$/ ? $2 + 0 : $2 * 1000 }' "$work/wrk"
}

# One row: series, encoding, program, bytes, median and p99 of a single scraper, requests per second and CPU of eight, memory.
measure() {
    local name=$1 encoding=$3 bytes alone url=http://127.0.0.1:$port$2 before after
    bytes=$(curl --silent --fail --header "Accept-Encoding: $encoding" --output /dev/null --write-out '%{size_download}' "$url")
    load 1 1 "$encoding" "$url"
    alone="$(latency 50) $(latency 99)"
    before=$(ticks)
    load 2 $connections "$encoding" "$url"
    after=$(ticks)
    awk -v head="$series $encoding $name $bytes $alone" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" \
        -v memory="$(awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$pid/status")" '
        /requests in/ { requests = $1 }
        /^Requests\/sec/ { rate = $2 }
        END { print head, rate, 1000 * ticks / hertz / requests, memory }
    ' "$work/wrk" >>"$work/rows"
}

measure_both() {
    measure "$1" "$2" identity
    measure "$1" "$2" gzip
    stop
}

tables() {
    awk '
    function line(row,  part) {
        split(row, part, " ")
        printf "| %d | %s | %s | %d kB | %.2f ms | %.2f ms | %.0f | %.3f ms | %.0f MB |\n", part[1], part[2] == "gzip" ? "gzip" : "plain", part[3], part[4] / 1000, part[5], part[6], part[7], part[8], part[9]
    }
    BEGIN {
        print "| series | body | program | size | one scrape, median | p99 | requests/s | CPU per scrape | memory |"
        print "|---|---|---|---|---|---|---|---|---|"
    }
    {
        line($0); kind = $1 " " $2
        if (!(kind in seen)) { order[++kinds] = kind; seen[kind] = 1 }
        if ($3 == "bridge") { rate[kind] = $7; cpu[kind] = $8; p99[kind] = $6; next }
        if (!(kind in best) || $7 > best[kind]) { best[kind] = $7; name[kind] = $3 }
        if (!(kind in least) || $8 < least[kind]) least[kind] = $8
        if (!(kind in soonest) || $6 < soonest[kind]) soonest[kind] = $6
    }
    END {
        print "\n| series | body | best of the others | requests/s, bridge to best | CPU per scrape, best to bridge | p99, best to bridge | p99 of a scrape |"
        print "|---|---|---|---|---|---|---|"
        for (i = 1; i <= kinds; i++) {
            kind = order[i]; split(kind, part, " ")
            printf "| %d | %s | %s | %.0f× | %.0f× | %.0f× | %.2f ms |\n", part[1], part[2] == "gzip" ? "gzip" : "plain", name[kind], rate[kind] / best[kind], least[kind] / cpu[kind], soonest[kind] / p99[kind], p99[kind]
        }
    }' <(sort --stable --key 1,1n --key 2,2r "$work/rows")
}

version() {
    dpkg-query --show --showformat '${Package} ${Version}' "$1"
}

machine() {
    echo "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), ${seconds} s for each measurement, load $1 before and $(load_average) after;"
    echo "$("$bridge" --version), $(version prometheus-node-exporter), $(version prometheus-pushgateway), $(version prometheus-sql-exporter)."
    echo
}

load_average() {
    cut -d ' ' -f 1 /proc/loadavg
}

load_before=$(load_average)
start_database
for size in "${sizes[@]}"; do
    write_indicators "$size"
    start_bridge
    measure_both bridge /metrics/indicators
    start_node_exporter
    measure_both node_exporter /metrics
    start_pushgateway
    measure_both pushgateway /metrics
    start_sql_exporter
    measure_both sql_exporter /metrics
done
{ machine "$load_before" && tables; } | tee "$work/report"
if [[ -n $document ]]; then
    { sed "/^$mark\$/q" "$document" && echo && cat "$work/report"; } >"$work/document"
    cp "$work/document" "$document"
fi
