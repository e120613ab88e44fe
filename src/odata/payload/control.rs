//! Control information: the context URL, counts and names that begin with `@odata.`.

use super::{JsonContext, scalar};
use crate::odata::media_type::MetadataLevel;

pub(super) fn write_context(out: &mut Vec<u8>, context: &JsonContext<'_>) {
    if context.metadata != MetadataLevel::None {
        write_control_name(out, context, "", "context");
        scalar::write_string(out, context.context_url);
    }
}

/// A count; a string where the client asked for `IEEE754Compatible=true`.
pub(super) fn write_count(out: &mut Vec<u8>, context: &JsonContext<'_>, count: u64) {
    let quote: &[u8] = if context.ieee754_compatible { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    scalar::write_digits(out, count.into());
    out.extend_from_slice(quote);
}

/// `"@odata.name":` or `"Property@odata.name":`, without the prefix in 4.01.
pub(super) fn write_control_name(out: &mut Vec<u8>, context: &JsonContext<'_>, property: &str, name: &str) {
    out.push(b'"');
    scalar::write_escaped(out, property);
    out.extend_from_slice(context.version.control_prefix().as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
