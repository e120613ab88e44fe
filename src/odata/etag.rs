//! Entity tags: what they are made of, and whether a client's cached answer is still current.

use sha2::{Digest, Sha256};

/// The opaque text for a hash of what the tag stands for: twelve bytes of it, enough to distinguish the states of one URL.
#[must_use]
pub fn of_hash(hash: Sha256) -> String {
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `If-None-Match` names this tag, so that the answer is 304. Tags are compared weakly, as HTTP prescribes for GET.
#[must_use]
pub fn matches(if_none_match: &str, current: &str) -> bool {
    let mut rest = if_none_match.trim_start();
    if rest.trim_end() == "*" {
        return true;
    }
    while let Some((tag, after)) = next_tag(rest) {
        if tag == opaque(current) {
            return true;
        }
        rest = after.trim_start_matches([',', ' ', '\t']);
    }
    false
}

/// Whether `If-Match` or `If-Range` names this strong tag. Weak tags never match, as HTTP prescribes for parts of a file.
#[must_use]
pub fn matches_strongly(listed: &str, current: &str) -> bool {
    let mut rest = listed.trim();
    if rest == "*" {
        return true;
    }
    while let Some((tag, after)) = next_tag(rest) {
        if tag == current && rest.starts_with('"') {
            return true;
        }
        rest = after.trim_start_matches([',', ' ', '\t']);
    }
    false
}

/// A strong tag around an opaque text: one sequence of bytes.
#[must_use]
pub fn strong(opaque: &str) -> String {
    format!("\"{opaque}\"")
}

/// A weak tag around an opaque text. Weak, because the same tag covers several formats and encodings with other bytes.
#[must_use]
pub fn weak(opaque: &str) -> String {
    let sound: String = opaque.chars().filter(|next| is_tag_char(*next)).collect();
    format!("W/\"{sound}\"")
}

/// The first tag of a list without its weakness, and what follows it. A tag may itself hold a comma.
fn next_tag(list: &str) -> Option<(&str, &str)> {
    let quoted = opaque(list).strip_prefix('"')?;
    let end = quoted.find('"')?;
    let tag = opaque(list).get(..end + 2)?;
    Some((tag, quoted.get(end + 1..)?))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn is_tag_char(next: char) -> bool {
    next.is_ascii_graphic() && next != '"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_at_any_position_and_compared_weakly() {
        for list in ["*", " * ", "\"a\"", "W/\"a\"", "\"x\", \"a\"", "\"x\",W/\"a\" , \"y\"", "\"p,q\",\"a\""]
        {
            assert!(matches(list, "W/\"a\""), "{list}");
            assert!(matches(list, "\"a\""), "{list}");
        }
    }

    #[test]
    fn for_parts_of_a_file_only_a_strong_tag_matches() {
        for list in ["*", "\"a\"", " \"x\", \"a\" ", "W/\"a\",\"a\""] {
            assert!(matches_strongly(list, &strong("a")), "{list}");
        }
        for list in ["", "W/\"a\"", "\"b\"", "a", "Mon, 01 Sep 2026 08:00:00 GMT"] {
            assert!(!matches_strongly(list, &strong("a")), "{list}");
        }
    }

    #[test]
    fn other_tags_and_nonsense_do_not_match() {
        for list in ["", "\"b\"", "a", "\"a", "\"aa\"", "\"x,\"a\"\"", "W/", "**", "w/\"a\""] {
            assert!(!matches(list, "\"a\""), "{list}");
        }
    }

    #[test]
    fn a_tag_holds_only_what_a_header_can_carry() {
        assert_eq!(weak("2026\"-Ø\n7"), "W/\"2026-7\"");
    }
}
