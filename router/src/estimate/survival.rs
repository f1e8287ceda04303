//! The Kaplan-Meier estimator, with weights.

/// How long somebody waited, as far as is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) ms: f64,
    /// How much it counts; more than 0.
    pub(super) weight: f64,
    /// False: he left before, so the wait would have been longer.
    pub(super) answered: bool,
}

/// The time within which the next one is answered with a probability of `share`; `None` if that cannot be seen, because
/// there are too few or too many left before. Puts `waits` in order.
///
/// The next one makes n + 1 of n, any place among them being as likely, so the quantile asked of the n is larger by one
/// n-th; n is the number of waits that would say as much if they weighed alike.
///
/// S(t) is the product, over all answers until t, of 1 - answered / waiting just before: only those who still waited
/// could tell whether an answer would come then.
pub(super) fn quantile(waits: &mut [Wait], share: f64) -> Option<f64> {
    // Of those who left at the same time those who were answered come first: the others had waited as long.
    waits.sort_by(|a, b| a.ms.total_cmp(&b.ms).then(b.answered.cmp(&a.answered)));
    let mut waiting: f64 = waits.iter().map(|wait| wait.weight).sum();
    let alike = waiting * waiting / waits.iter().map(|wait| wait.weight * wait.weight).sum::<f64>();
    let beyond = 1.0 - share * (1.0 + 1.0 / alike);
    if beyond <= 0.0 {
        return None;
    }
    let mut survives = 1.0;
    for wait in waits.iter() {
        if wait.answered {
            survives *= 1.0 - (wait.weight / waiting).min(1.0);
            if survives <= beyond + 1e-9 {
                return Some(wait.ms);
            }
        }
        waiting -= wait.weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(ms: f64, answered: bool) -> Wait {
        Wait { ms, weight: 1.0, answered }
    }

    /// The remission times of Freireich et al. (1963), treated group: the textbook's example. S(10) = 0.753,
    /// S(16) = 0.627, S(23) = 0.448.
    #[test]
    fn the_example_of_the_textbooks_comes_out() {
        let events = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0].map(|ms| wait(ms, true));
        let left =
            [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0].map(|ms| wait(ms, false));
        let mut waits = [events.as_slice(), left.as_slice()].concat();
        for (survives, at) in [(0.7530, 10.0), (0.6275, 16.0), (0.4483, 23.0)] {
            let reached = (1.0 - survives) * 21.0 / 22.0;
            assert_eq!(quantile(&mut waits, reached - 1e-3), Some(at), "{survives}");
            assert_ne!(quantile(&mut waits, reached + 1e-3), Some(at), "{survives}");
        }
        assert_eq!(quantile(&mut waits, 0.6), None, "the last who could have told left at 35");
        assert_eq!(quantile(&mut [wait(1.0, true); 20], 0.96), None, "one in twenty-five of twenty");
    }

    #[test]
    fn weights_count_as_so_many_alike() {
        let alike = [(1.0, 1), (2.0, 3), (3.0, 2), (4.0, 4)];
        let mut single: Vec<Wait> =
            alike.iter().flat_map(|(ms, n)| vec![wait(*ms, *ms != 3.0); *n]).collect();
        let mut weighed: Vec<Wait> =
            alike.iter().map(|(ms, n)| Wait { weight: *n as f64, ..wait(*ms, *ms != 3.0) }).collect();
        let times = |waits: &mut [Wait], alike: f64| {
            [0.05, 0.1, 0.3, 0.35, 0.5, 0.9].map(|share| quantile(waits, share / (1.0 + 1.0 / alike)))
        };
        assert_eq!(times(&mut single, 10.0), times(&mut weighed, 100.0 / 30.0));
    }
}
