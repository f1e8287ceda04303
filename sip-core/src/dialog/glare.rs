//! Two re-INVITEs at once: how long the refused side waits (RFC 3261 §14.1).

use std::time::Duration;

/// The pause after a `491`, in steps of 10 ms: 2.1 to 4 s for the side that made the Call-ID, 0 to 2 s for the other,
/// so that the two cannot meet again. `below(n)` gives a random number from 0 to n - 1.
pub fn pause(made_call_id: bool, mut below: impl FnMut(u32) -> u32) -> Duration {
    let steps = if made_call_id { 210 + below(191) } else { below(201) };
    Duration::from_millis(10 * u64::from(steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sides_of_a_dialog_never_choose_the_same_pause() {
        let ends = |made| [pause(made, |_| 0), pause(made, |n| n - 1)].map(|p| p.as_millis());
        assert_eq!((ends(true), ends(false)), ([2_100, 4_000], [0, 2_000]));
    }
}
