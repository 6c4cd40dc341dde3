//! Sizes of disks as people write them: `20G` is 20·10^9 bytes as on a disk's label, `20Gi` is 20·2^30.

/// Reads a size.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || "a size such as 20G (10^9 bytes) or 20Gi (2^30 bytes)".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim_end_matches(['B', 'b']) {
        "" => 1,
        "K" | "k" => 1000,
        "M" => 1000 * 1000,
        "G" => 1000 * 1000 * 1000,
        "T" => 1000 * 1000 * 1000 * 1000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(|| "a smaller size".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_families() {
        let cases = [
            ("0", 0),
            ("512", 512),
            ("20G", 20_000_000_000),
            ("20GB", 20_000_000_000),
            ("20Gi", 20 << 30),
            ("2TiB", 2 << 40),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in ["", "G", "-1", "1.5G", "20X", "99999999999999999999", "99999999T"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
