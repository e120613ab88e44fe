#!/usr/bin/env bash
# Follows docs/operations.md under a systemd of its own, in a container without a network:
#   tests/tools/systemd_boot.sh target/debug/jobindsats-bridge
# Runs the sh blocks of the document in their order, as they are written, and compares after each what has to be true then.
# The built-in simulator takes the place of Jobindsats. The machine's own files are below an overlay and stay as they are.
# Needs root and systemd-nspawn (Debian: systemd-container).
set -euo pipefail

readonly sections="Installing with systemd|Checking|Upgrading|Backing up|Restoring|Rotating the key|Changing users"

# The sh blocks of the document, each as a file NN-section.
blocks() {
    awk -v folder="$1" -v sections="^($sections)\$" '
        /^## / { section = substr($0, 4) }
        /^```sh$/ && section ~ sections {
            name = section
            gsub(" ", "-", name)
            file = sprintf("%s/%02d-%s", folder, ++count, name)
            next
        }
        /^```$/ { file = "" }
        file { print >file }' "$2"
}

expect() {
    echo "    $1"
    shift
    "$@" >/tmp/said 2>&1 || { echo "FAILED: $*"; cat /tmp/said; journalctl -u jobindsats-bridge --no-pager | tail -n 20; exit 1; }
}

is_ready() { [[ $(curl -sS --retry 30 --retry-all-errors http://127.0.0.1:8080/readyz) == *true* ]]; }
status() { [[ $(curl -s -o /dev/null -w '%{http_code}' "${@:2}") == "$1" ]]; }
credential_is() { [[ $(<"/run/credentials/jobindsats-bridge.service/$1") == "$2" ]]; }
reads() { curl -sf --retry 5 --retry-all-errors -u "$1:a password of $1's" http://127.0.0.1:8080/odata/jobindsats/y25i01/ >/dev/null; }
metric() { [[ $(curl -sf -u "x:$password" http://127.0.0.1:8080/metrics) == *$'\n'"$1"* ]]; }
is_new_process() { [[ $(systemctl show -P MainPID jobindsats-bridge) != "$before" ]]; }
names() { find /var/lib/jobindsats-bridge -name names.json -exec cat {} +; }
has_names() { [[ $(tar -tzf "$1") == */names.json* ]]; }
same_names() { [[ -n $names && $(names) == "$names" ]]; }

# What has to be true after a block, and what a person does between the blocks.
after() {
    case $1 in
        01-*)
            password=first-password
            echo first-key-of-this-test >/etc/jobindsats-bridge/api_key
            echo "$password" >/etc/jobindsats-bridge/metrics_password
            # The simulator answers.
            sed -i '/^JOBINDSATS_API_KEY_FILE/d' /etc/jobindsats-bridge/settings
            ;;
        02-*)
            expect "it is ready" is_ready
            expect "nobody reads without a user" status 401 http://127.0.0.1:8080/odata/
            expect "metrics take their password" metric "process_start_time_seconds"
            expect "figures can be stored" metric "jobindsats_bridge_disk_writable 1"
            expect "it runs as its user" test "$(ps -o user:32= -p "$(systemctl show -P MainPID jobindsats-bridge)")" = jobindsats-bridge
            before=$(systemctl show -P MainPID jobindsats-bridge)
            ;;
        03-Checking)
            # The next block is for a service that is stopped.
            systemctl stop jobindsats-bridge
            ;;
        04-Checking)
            systemctl start jobindsats-bridge
            before=$(systemctl show -P MainPID jobindsats-bridge)
            ;;
        *-Upgrading | *-Rotating*)
            expect "it is ready" is_ready
            expect "it is another process" is_new_process
            before=$(systemctl show -P MainPID jobindsats-bridge)
            ;;&
        *-Upgrading)
            echo second-key-of-this-test >/etc/jobindsats-bridge/api_key
            # Names are given when somebody reads.
            echo "a password of bo's" | BRIDGE_USERS_FILE=/etc/jobindsats-bridge/users jobindsats-bridge user add bo
            systemctl reload jobindsats-bridge
            expect "bo reads" reads bo
            ;;
        *-Backing*)
            names=$(names)
            expect "the backup has the names" has_names /var/backups/jobindsats-bridge.tar.gz
            expect "it is root's alone" test "$(stat -c '%U %a' /var/backups/jobindsats-bridge.tar.gz)" = "root 600"
            echo a-later-key >/etc/jobindsats-bridge/api_key
            find /var/lib/jobindsats-bridge -name names.json -delete
            ;;
        07-Restoring)
            expect "it is ready" is_ready
            expect "names are as before" same_names
            expect "the settings are those of now" test "$(</etc/jobindsats-bridge/api_key)" = a-later-key
            rm /etc/jobindsats-bridge/users
            ;;
        08-Restoring)
            expect "it is ready" is_ready
            expect "bo reads" reads bo
            expect "the key is that of the backup" test "$(</etc/jobindsats-bridge/api_key)" = second-key-of-this-test
            before=$(systemctl show -P MainPID jobindsats-bridge)
            password=second-password
            echo "$password" >/etc/jobindsats-bridge/metrics_password
            ;;
        *-Rotating*)
            expect "the service has the new key" credential_is api_key second-key-of-this-test
            expect "the new password of metrics is taken" metric "process_start_time_seconds"
            ;;
        *-Changing*)
            expect "anne reads" reads anne
            expect "a wrong password does not" status 401 -u anne:wrong http://127.0.0.1:8080/odata/
            systemctl stop jobindsats-bridge
            expect "a stop is orderly" test "$(systemctl show -P Result jobindsats-bridge)" = success
            ;;
    esac
}

inside() {
    local block
    exec >/dev/console 2>&1
    cd /run/follow
    sudo() { if [[ $1 == *=* ]]; then env "$@"; else "$@"; fi; }
    export -f sudo
    for block in blocks/*; do
        echo "=== ${block##*/}"
        # The unit allows five starts in five minutes, which no person needs for this.
        systemctl reset-failed jobindsats-bridge 2>/dev/null || true
        bash -e "$block" >/tmp/said 2>&1 || { echo "FAILED"; cat /tmp/said; journalctl -u jobindsats-bridge --no-pager | tail -n 20; exit 1; }
        after "${block##*/}"
    done
    echo "docs/operations.md holds"
}

if [[ $1 == --inside ]]; then
    inside
    exit
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'umount --recursive --quiet "$work/root" "$work/over" || true; rm -rf --one-file-system "$work"' EXIT
mkdir "$work/blocks" "$work/over" "$work/root"
# The machine's files, with a layer in memory above them that takes what is written.
mount -t tmpfs over "$work/over"
mkdir "$work/over/written" "$work/over/work"
mount -t overlay -o "lowerdir=/,upperdir=$work/over/written,workdir=$work/over/work" overlay "$work/root"
blocks "$work/blocks" "$root/docs/operations.md"
cp "$1" "$work/jobindsats-bridge"
cp -r "$root/deploy" "$work/deploy"
cp "$0" "$work/systemd_boot.sh"
chmod 755 "$work"
cat >"$work/follow.service" <<'UNIT'
[Unit]
After=basic.target
FailureAction=exit-force
SuccessAction=exit-force
[Service]
Type=oneshot
ExecStart=/run/follow/systemd_boot.sh --inside
TimeoutStartSec=5min
UNIT
# Nothing of the machine is started but what the last unit asks for; kernel variables are the machine's own.
timeout 400 systemd-nspawn --quiet --directory="$work/root" --private-network --register=no --keep-unit --machine=follow --boot \
    --bind="$work:/run/follow" --bind-ro="$work/follow.service:/etc/systemd/system/follow.service" \
    systemd.unit=follow.service systemd.firstboot=no systemd.mask=systemd-sysctl.service systemd.show_status=no systemd.log_level=notice \
    </dev/null 2>&1 | tee "$work/said"
grep -q "docs/operations.md holds" "$work/said"
