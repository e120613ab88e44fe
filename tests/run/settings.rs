//! `docs/settings.md` is written by this test and held to it: a row for each setting. `UPDATE_DOCS=1` writes the page anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jobindsats_bridge::settings::described::DESCRIBED;

const HEAD: &str = "# Settings

Environment variables, read once when the program starts; an empty one counts as unset. A wrong or unknown one stops the start with an
error that says what was expected. A test writes this page from the source and holds it to it; `jobindsats-bridge --help` says the same.

| variable | default | meaning |
|---|---|---|
";

/// What this program does not define itself.
const OTHERS: &str = "
Variables that others define, and that hold for the program as for any:

| variable | read by | meaning |
|---|---|---|
| `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, \
`OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_…` | OpenTelemetry, if traces are made | [traces](reliability.md#traces) |
| `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | calls to the upstream and to `BRIDGE_TOKEN_ISSUER`, unless they are on loopback | a proxy on the \
way; it passes TLS on and sees neither key nor figures |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | all that is asked by TLS | authorities in place of the machine's |
| `NO_COLOR` | the log | no colours on a terminal |
| `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID` | systemd's protocol | set by systemd, see [service manager](reliability.md#service-manager) |
";

#[test]
fn the_page_of_settings_has_a_row_for_each() {
    let mut page = HEAD.to_owned();
    for setting in DESCRIBED {
        writeln!(page, "| `{}` | {} | {} |", setting.variable, setting.default, setting.meaning).unwrap();
    }
    page.push_str(OTHERS);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn the_readme_names_every_setting() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let named: BTreeSet<_> = readme.split('`').skip(1).step_by(2).collect();
    let missing: Vec<_> = DESCRIBED.iter().filter(|setting| !named.contains(setting.variable)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
