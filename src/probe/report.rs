//! The findings of a probe as Markdown that can be mailed: no key, and hardly a figure.

use std::fmt::Write as _;

use super::Findings;
use super::points::Outcome;

pub(super) fn write(findings: &Findings, origin: &str) -> String {
    let mut text = format!("# What {origin} does\n\n");
    if let Some(at) = findings.dialect.asked_at {
        let _ = writeln!(
            text,
            "{} calls, the last of them at {}.\n",
            findings.calls.len(),
            at.format("%F %R UTC")
        );
    }
    if let Some(ended) = &findings.ended {
        let _ = writeln!(text, "The run ended before its end: {ended}.\n");
    }
    text.push_str("| point | expected | found | what the bridge does |\n|---|---|---|---|\n");
    for (point, outcome) in &findings.points {
        let found = match outcome {
            Outcome::Seen(what) => format!("**seen**: {what}"),
            Outcome::NotSeen(what) => format!("not seen: {what}"),
            Outcome::NotTried(why) => format!("cannot be tried politely: {why}"),
        };
        let row = [point.name, point.expected, found.trim_end_matches([':', ' ']), point.handling].map(cell);
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    if !findings.dialect.units.is_empty() {
        text.push_str("\n## Units that figures suggest\n\n| table | measure | unit |\n|---|---|---|\n");
        for (table, measures) in &findings.dialect.units {
            for (measure, unit) in measures {
                let _ = writeln!(text, "| {} | {} | {} |", cell(table), cell(measure), unit.label());
            }
        }
    }
    text.push_str("\n## Calls\n\n| status | seconds | call |\n|---|---|---|\n");
    for call in &findings.calls {
        let _ = writeln!(text, "| {} | {:.1} | `{}` |", call.status, call.seconds, cell(&call.path));
    }
    text
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}
