//! Spans as people write them: `90s`, `12h`, `30d`, `8w`.

/// Seconds.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let wrong = || "a time such as 12h, 30d or 8w".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).filter(|n| *n > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!((parse("90s"), parse("12h"), parse("8w")), (Ok(90), Ok(43_200), Ok(4_838_400)));
        for bad in ["", "d", "0d", "-1d", "3", "3y", "99999999999999999999d", "9999999999999999w"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
