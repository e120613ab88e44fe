# Read by the programs that make pictures: a folder to work in, and a bridge on its simulator. Both are gone when the program ends.
# No setting and no key of the caller's reaches the bridge.
unset "${!BRIDGE_@}" "${!JOBINDSATS_@}"
work=$(mktemp -d)
readonly work
address=
pid=

stop() {
    [[ -z $pid ]] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; } || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# Starts the program and waits for its address.
start_bridge() {
    BRIDGE_LISTEN=127.0.0.1:0 BRIDGE_DATA_DIR="$work/data" "$1" >"$work/bridge.log" 2>&1 &
    pid=$!
    local patience=300
    until address=$(sed -n 's|.*paste \(http://127.0.0.1:[0-9]*\)/odata/.*|\1|p' "$work/bridge.log") && [[ -n $address ]]; do
        ((patience--)) && kill -0 "$pid" 2>/dev/null || { cat "$work/bridge.log" >&2 && exit 1; }
        sleep 0.2
    done
}
