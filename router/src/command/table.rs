//! How tables for people show times, lengths and names.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::journal::fact::Micros;

/// `text` in at most `width` characters; what was cut is shown by `…`.
pub(super) fn clip(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A length: `0.4s`, `12.0s`, `2m05s`, `3h07m`, `4d11h`.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds}.{}s", ms % 1_000 / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// UTC to the microsecond, RFC 3339: `2026-11-25T08:00:00.000000Z`.
pub(super) fn iso(at: Micros) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |at| format!("{at:.6}"))
}

/// Date and time of day in UTC to the second.
pub(super) fn date(at: Micros) -> String {
    show(at, "%Y-%m-%d %H:%M:%S")
}

/// Time of day in UTC to the millisecond.
pub(super) fn clock(at: Micros) -> String {
    show(at, "%H:%M:%S%.3f")
}

fn show(at: Micros, format: &str) -> String {
    let zoned = Timestamp::from_microsecond(at).map(|at| at.to_zoned(TimeZone::UTC));
    zoned.map_or_else(|_| at.to_string(), |zoned| zoned.strftime(format).to_string())
}

/// A value that facts spell as one word.
pub(super) fn word(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_times_are_short_and_exact_enough() {
        let spans = [0, 450, 59_999, 60_000, 3_599_000, 3_600_000, 90_061_000].map(span);
        assert_eq!(spans, ["0.0s", "0.4s", "59.9s", "1m00s", "59m59s", "1h00m", "1d01h"]);
        assert_eq!(iso(1_795_593_600_000_120), "2026-11-25T08:00:00.000120Z");
        assert_eq!(
            (date(1_795_593_600_000_120), clock(1_795_593_600_001_120)),
            ("2026-11-25 08:00:00".into(), "08:00:00.001".into())
        );
        assert_eq!((clip("anna", 4), clip("annabel", 4)), ("anna".into(), "ann…".into()));
    }
}
