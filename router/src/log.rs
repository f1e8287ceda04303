//! Personal data in logs: numbers and names are shown only where the operator allowed it (`log.personal_data`).

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

static SHOWN: AtomicBool = AtomicBool::new(false);

/// Lets personal data into log lines above DEBUG, or keeps it out (the default).
pub fn show_personal_data(shown: bool) {
    SHOWN.store(shown, Ordering::Relaxed);
}

/// A number or a name in a log line: as it is if the operator allowed it, else only its last two characters.
pub struct Pii<'a>(pub &'a str);

impl fmt::Display for Pii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOWN.load(Ordering::Relaxed) {
            return f.write_str(self.0);
        }
        let tail: Vec<char> = self.0.chars().rev().take(2).collect();
        match self.0.chars().count() {
            0 => f.write_str("withheld"),
            1..=4 => f.write_str("…"),
            _ => write!(f, "…{}{}", tail[1], tail[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_log_line_keeps_two_digits_only() {
        assert_eq!(Pii("+493012345").to_string(), "…45");
        assert_eq!(Pii("110").to_string(), "…");
        assert_eq!(Pii("").to_string(), "withheld");
    }
}
