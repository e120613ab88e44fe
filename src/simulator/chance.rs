//! Deterministic pseudo-random numbers: the same input gives the same number on every machine.

/// The seed of a text.
pub fn seed(text: &str) -> u64 {
    text.bytes().fold(0x9e37_79b9_7f4a_7c15, |state, byte| mix(state, u64::from(byte)))
}

/// A seed made of two.
pub fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(a << 6).wrapping_add(a >> 2);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in [0, 1).
pub fn unit(seed: u64) -> f64 {
    // 53 bits are what a double holds exactly.
    (seed >> 11) as f64 / (1u64 << 53) as f64
}
