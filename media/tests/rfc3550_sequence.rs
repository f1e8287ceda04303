//! RFC 3550 appendix A.1 and A.3: what sequence numbers tell.

use media::rtp::{Arrival, Sequence};
use proptest::prelude::*;

fn arrivals(numbers: &[u16]) -> (Sequence, Vec<Arrival>) {
    let mut sequence = Sequence::new(numbers[0]);
    let arrivals = numbers.iter().map(|number| sequence.arrive(*number)).collect();
    (sequence, arrivals)
}

fn arrive(sequence: &mut Sequence, number: u16) {
    sequence.arrive(number);
}

fn kinds(numbers: &[u16]) -> Vec<&'static str> {
    let name = |arrival: &Arrival| match arrival {
        Arrival::InOrder(_) => "in order",
        Arrival::Reordered(_) => "reordered",
        Arrival::Duplicate => "duplicate",
        Arrival::Late => "late",
        Arrival::Jump => "jump",
        Arrival::Restarted(_) => "restarted",
    };
    arrivals(numbers).1.iter().map(name).collect()
}

#[test]
fn numbers_wrap_into_the_next_cycle() {
    let (sequence, arrivals) = arrivals(&[65_534, 65_535, 0, 1]);
    let Arrival::InOrder(last) = arrivals[3] else { panic!("in order") };
    let Arrival::InOrder(first) = arrivals[0] else { panic!("in order") };
    assert_eq!((last - first, sequence.extended_highest(), sequence.lost()), (3, 1 << 16 | 1, 0));
}

#[test]
fn a_step_of_2999_is_loss_and_of_3000_a_jump() {
    assert_eq!(kinds(&[0, 2_999]), ["in order", "in order"]);
    assert_eq!(kinds(&[0, 3_000]), ["in order", "jump"]);
}

#[test]
fn a_step_back_of_99_is_late_and_of_100_a_jump() {
    assert_eq!(kinds(&[500, 401]), ["in order", "late"]);
    assert_eq!(kinds(&[500, 400]), ["in order", "jump"]);
}

#[test]
fn two_in_a_row_after_a_jump_are_a_restart_but_two_strays_are_not() {
    assert_eq!(kinds(&[0, 30_000, 30_001]), ["in order", "jump", "restarted"]);
    assert_eq!(kinds(&[0, 30_000, 1, 30_001]), ["in order", "jump", "in order", "jump"]);
    let (sequence, _) = arrivals(&[0, 30_000, 30_001, 30_002]);
    assert_eq!((sequence.received(), sequence.lost(), sequence.extended_highest()), (2, 0, 30_002));
}

#[test]
fn the_64_newest_are_remembered_one_by_one() {
    assert_eq!(
        kinds(&[100, 102, 101, 101, 102, 100]),
        ["in order", "in order", "reordered", "duplicate", "duplicate", "duplicate"]
    );
    assert_eq!(kinds(&[100, 170, 107, 106]), ["in order", "in order", "reordered", "late"]);
}

#[test]
fn a_packet_from_before_the_first_one_has_its_place() {
    assert_eq!(kinds(&[0, 65_535]), ["in order", "reordered"]);
    let (sequence, _) = arrivals(&[0, 65_535]);
    assert_eq!(sequence.lost(), -1, "A.3: more came than was expected");
}

#[test]
fn loss_is_counted_since_the_start_and_its_share_since_the_last_report() {
    let mut sequence = Sequence::new(0);
    (0..100).for_each(|n| arrive(&mut sequence, n));
    assert_eq!((sequence.lost(), sequence.take_fraction_lost()), (0, 0));
    (100..200).filter(|n| n % 4 != 0).for_each(|n| arrive(&mut sequence, n));
    assert_eq!((sequence.lost(), sequence.take_fraction_lost()), (25, 64));
    assert_eq!(sequence.take_fraction_lost(), 0, "nothing expected since");
}

#[test]
fn duplicates_never_make_a_negative_share() {
    let mut sequence = Sequence::new(0);
    [0, 1, 1, 1].into_iter().for_each(|n| arrive(&mut sequence, n));
    assert_eq!((sequence.lost(), sequence.take_fraction_lost()), (-2, 0));
}

proptest! {
    #[test]
    fn each_number_is_used_once_whatever_the_order(start: u16, swaps in prop::collection::vec(0usize..200, 0..100)) {
        let mut order: Vec<u16> = (0..200).map(|n| start.wrapping_add(n)).collect();
        for at in swaps {
            let to = (at + 30).min(199);
            order[at..=to].reverse();
        }
        let mut sequence = Sequence::new(order[0]);
        let mut used: Vec<u64> = vec![];
        for number in order.iter().chain(&order) {
            match sequence.arrive(*number) {
                Arrival::InOrder(number) | Arrival::Reordered(number) => used.push(number),
                Arrival::Restarted(_) => return Ok(()), // shuffled too far for this law
                _ => {}
            }
        }
        let count = used.len();
        used.sort_unstable();
        used.dedup();
        prop_assert_eq!(used.len(), count);
    }
}
