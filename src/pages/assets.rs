//! Styles, scripts and the icon: plain files that are part of the program. Their addresses contain a fingerprint of what is in
//! them, so that browsers may keep them for ever.

use std::sync::LazyLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A file that pages use.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    /// The last part of its address.
    pub file: String,
    pub content_type: &'static str,
    pub content: Bytes,
}

/// The folder of their addresses, below the root.
pub const FOLDER: &str = "assets";

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("page.css", "text/css; charset=utf-8", include_bytes!("assets/page.css")),
        Asset::new("page.js", "text/javascript; charset=utf-8", include_bytes!("assets/page.js")),
        Asset::new("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
    ]
});

impl Asset {
    fn new(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        let fingerprint: String =
            Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        let file = format!("{stem}.{fingerprint}.{extension}");
        Self { name, file, content_type, content: Bytes::from_static(content) }
    }
}

/// The path of a file below the root.
pub(super) fn path(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    debug_assert!(asset.is_some(), "{name} is no file of the pages");
    asset.map(|asset| format!("{FOLDER}/{}", asset.file)).unwrap_or_default()
}

/// The file at the end of an address.
#[must_use]
pub fn find(file: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.file == file)
}
