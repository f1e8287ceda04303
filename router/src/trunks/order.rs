//! In which order a call tries the targets of its trunk.

use crate::config::TrunkTarget;

/// Positions in the order of trying: those that are believed to work before those that are not, by priority; among
/// equals by chance, each first as often as its weight says (RFC 2782, without its special case for a weight of 0).
///
/// `chance(n)` gives a number below n, each as often.
pub fn order(
    targets: &[TrunkTarget],
    works: impl Fn(usize) -> bool,
    mut chance: impl FnMut(u32) -> u32,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..targets.len()).collect();
    let rank = |at: usize| (!works(at), targets[at].priority);
    order.sort_by_key(|at| rank(*at));
    let mut done = 0;
    while done < order.len() {
        let equals = order[done..].iter().take_while(|at| rank(**at) == rank(order[done])).count();
        for next in done..done + equals.saturating_sub(1) {
            let rest = &mut order[next..done + equals];
            let chosen = draw(targets, rest, &mut chance);
            rest[..=chosen].rotate_right(1);
        }
        done += equals;
    }
    order
}

/// One of `rest`, by weight.
fn draw(targets: &[TrunkTarget], rest: &[usize], chance: &mut impl FnMut(u32) -> u32) -> usize {
    let weight = |at: &usize| u32::from(targets[*at].weight);
    let mut point = chance(rest.iter().map(weight).sum());
    rest.iter()
        .position(|at| {
            let hit = point < weight(at);
            point = point.saturating_sub(weight(at));
            hit
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    use super::*;

    fn targets(list: &[(u16, u16)]) -> Vec<TrunkTarget> {
        let target = |(at, &(priority, weight)): (usize, &(u16, u16))| TrunkTarget {
            to: format!("udp:10.0.0.{at}:5060").parse().unwrap(),
            priority,
            weight,
        };
        list.iter().enumerate().map(target).collect()
    }

    #[test]
    fn targets_of_different_priority_need_no_chance_and_who_does_not_work_comes_last() {
        let list = targets(&[(3, 1), (1, 1), (2, 1)]);
        let never = |_| -> u32 { panic!("nothing to draw") };
        assert_eq!(order(&list, |_| true, never), [1, 2, 0]);
        assert_eq!(order(&list, |at| at != 1, never), [2, 0, 1]);
        assert_eq!(
            order(&list, |_| false, never),
            [1, 2, 0],
            "when nobody works all are tried in their order"
        );
    }

    #[test]
    fn among_equals_each_is_first_as_often_as_its_weight_says() {
        let list = targets(&[(1, 10), (1, 30), (1, 60), (2, 1000)]);
        let mut random = SmallRng::seed_from_u64(4);
        let (mut first, mut last) = ([0; 4], [0; 4]);
        for _ in 0..10_000 {
            let order = order(&list, |_| true, |below| random.random_range(0..below));
            first[order[0]] += 1;
            last[order[3]] += 1;
        }
        let near = |count: i32, expected: i32| (count - expected).abs() < 250;
        assert!(near(first[0], 1_000) && near(first[1], 3_000) && near(first[2], 6_000), "{first:?}");
        assert_eq!((first[3], last[3]), (0, 10_000), "a larger number is never tried before a smaller");
    }

    #[test]
    fn every_target_is_in_every_order_once() {
        let list = targets(&[(1, 1), (1, 65_535), (1, 2), (1, 2)]);
        let mut random = SmallRng::seed_from_u64(5);
        for _ in 0..1_000 {
            let mut order = order(&list, |at| at != 2, |below| random.random_range(0..below));
            assert_eq!(order[3], 2);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3]);
        }
    }
}
