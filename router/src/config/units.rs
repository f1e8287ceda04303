//! Values with a unit: `"20s"`, `"1m30s"`, `"512k"`.

use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// A number alone.
    NoUnit,
    /// A unit we do not know, or no number at all.
    Unreadable,
    /// More than a u64 of milliseconds or bytes.
    TooLarge,
}

/// Milliseconds, largest first.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `"20s"`, `"200ms"`, `"1m30s"`, `"1.5h"`: units `ms`, `s`, `m`, `h`, `d`. The smallest step is a millisecond.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(UnitError::Unreadable);
    }
    while !rest.is_empty() {
        let (number, unit, after) = number_and_unit(rest)?;
        let factor = TIMES.iter().find(|(name, _)| *name == unit).ok_or(UnitError::Unreadable)?.1;
        let part = scaled(number, factor)?;
        total = total.checked_add(part).ok_or(UnitError::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Reads `"512k"`, `"4M"`, `"1G"`, `"1500B"`: bytes; `k`, `M` and `G` are powers of 1,024.
pub(super) fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit, after) = number_and_unit(text.trim())?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(UnitError::Unreadable),
    };
    if after.is_empty() { scaled(number, factor) } else { Err(UnitError::Unreadable) }
}

/// Writes a duration the way [`duration`] reads it: `"1m30s"`, `"0s"`.
pub(crate) fn written(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in TIMES {
        // Days only when they come out even: "36h" reads better than "1d12h".
        if (unit == "d" && !rest.is_multiple_of(factor)) || rest < factor {
            continue;
        }
        text.push_str(&format!("{}{unit}", rest / factor));
        rest %= factor;
    }
    text
}

fn number_and_unit(text: &str) -> Result<(&str, &str, &str), UnitError> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(UnitError::Unreadable);
    }
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    if unit.is_empty() {
        return Err(if after.is_empty() { UnitError::NoUnit } else { UnitError::Unreadable });
    }
    Ok((number, unit, after))
}

/// `number` times `factor`, in whole steps; digits behind the point beyond the ninth are of no account.
fn scaled(number: &str, factor: u64) -> Result<u64, UnitError> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) || number.ends_with('.') {
        return Err(UnitError::Unreadable);
    }
    let whole: u64 = whole.parse().map_err(|_| UnitError::TooLarge)?;
    let nine = format!("{:0<9}", &fraction[..fraction.len().min(9)]);
    let billionths: u128 = nine.parse().map_err(|_| UnitError::Unreadable)?;
    let part = (billionths * u128::from(factor) / 1_000_000_000) as u64;
    whole.checked_mul(factor).and_then(|n| n.checked_add(part)).ok_or(UnitError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        let cases = [
            ("200ms", 200),
            ("20s", 20_000),
            ("5m", 300_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
            (" 20 s ", 20_000),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_number_alone_has_no_unit_and_nonsense_is_told_apart() {
        assert_eq!(duration("20"), Err(UnitError::NoUnit));
        for text in ["", "s", "20 parsecs", "20s!", "-5s", "1..5s", "1.s", "5s-", "+5s", "٣s"] {
            assert_eq!(duration(text), Err(UnitError::Unreadable), "{text}");
        }
        for text in ["99999999999999999999s", "18446744073709551615d", "18446744073709551615ms1ms"] {
            assert_eq!(duration(text), Err(UnitError::TooLarge), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("512k"), Ok(524_288));
        assert_eq!(size("4M"), Ok(4_194_304));
        assert_eq!(size("1.5k"), Ok(1_536));
        assert_eq!(size("100"), Err(UnitError::NoUnit));
        assert_eq!(size("1x"), Err(UnitError::Unreadable));
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        for ms in [0, 1, 999, 1_000, 90_000, 5_400_000, 86_400_000, 129_600_000, 90_061_001] {
            let text = written(Duration::from_millis(ms));
            assert_eq!(duration(&text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(written(Duration::from_millis(90_000)), "1m30s");
        assert_eq!(written(Duration::from_secs(36 * 3600)), "36h");
    }
}
