#!/usr/bin/env bash
# Checks deploy/jobindsats-bridge.service without running it, as systemd_boot.sh does:
#   tests/tools/systemd_checks.sh target/debug/jobindsats-bridge
# systemd finds nothing to complain of, the unit's exposure stays below 1.5 of 10, and its limit of memory is what the settings add up to.
# Needs systemd-analyze (Debian: systemd).
set -euo pipefail

cd "$(dirname "$0")/../.."
readonly unit=deploy/jobindsats-bridge.service
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    echo "FAILED: $*" >&2
    exit 1
}

# The unit with the program that is given in place of the installed one, and whatever else is changed.
changed() {
    sed "s,^ExecStart=.*,ExecStart=$(realpath "$program")," "$unit" | sed "$1" >"$work/jobindsats-bridge.service"
}

# Keys that systemd does not know are no error to it, so that it must say nothing.
complaints() {
    systemd-analyze verify --man=no "$work/jobindsats-bridge.service" 2>&1 || echo "systemd-analyze verify fails"
}

program=$1
changed ''
said=$(complaints)
[[ -z $said ]] || die "$said"
changed 's/^ProtectSystem/ProtectSytsem/'
[[ -n $(complaints) ]] || die "a misspelt key is accepted"

systemd-analyze security --offline=true --threshold=15 --no-pager "$unit" >"$work/security" || die "exposure: $(tail -n 1 "$work/security")"
changed '/^Protect/d'
if systemd-analyze security --offline=true --threshold=15 --no-pager "$work/jobindsats-bridge.service" >/dev/null; then
    die "an exposed unit passes"
fi

megabytes() {
    sed -n "s/^| \`$1\` | \([0-9]*\) |.*/\1/p" README.md
}
limit=$(sed -n 's/^MemoryMax=\([0-9]*\)M$/\1/p' "$unit")
((limit == $(megabytes BRIDGE_MEMORY_MB) + $(megabytes BRIDGE_ANSWERS_MB) + 512)) || die "MemoryMax=${limit}M is not what the settings add up to"
tail -n 1 "$work/security"
