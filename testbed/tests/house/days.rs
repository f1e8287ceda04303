//! Random days: which they are, and how many.

/// Says which day it was, whatever made it fail.
pub struct Diary(pub u64);

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the day of seed {} failed: play it again with FERNAMT_SEED={0}", self.0);
        }
    }
}

/// A number that whoever runs the tests has set.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// So many days, or as many as `FERNAMT_DAYS` says.
pub fn seeds(first: u64, days: u64) -> impl Iterator<Item = u64> {
    first..first + number("FERNAMT_DAYS").unwrap_or(days)
}
