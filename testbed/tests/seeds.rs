//! Random calls over a bad network: whatever happens, the laws hold after every turn and nothing is left at silence.

mod house;

use std::time::Duration;

use house::{ANNA, BO, QUEUE, world};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use testbed::{
    Behaviour, Link, World,
    world::{MILLISECOND, SECOND},
};

/// Telephones speak rarely here: the stories listen, the seeds are about signalling.
const RTP_GAP: Duration = Duration::from_secs(2);

fn behaviour(random: &mut SmallRng) -> Behaviour {
    let soon = random.random_range(0..6_000) * MILLISECOND;
    match random.random_range(0..8) {
        0 => Behaviour::NeverAnswers,
        1 => Behaviour::Busy,
        2 => Behaviour::Refuses(603, soon),
        3 => Behaviour::EarlySound(soon),
        4 => Behaviour::Dead,
        5 | 6 => Behaviour::AnswersFor(soon, random.random_range(1..20_000) * MILLISECOND),
        _ => Behaviour::Answers(soon),
    }
}

fn day(seed: u64, sections: &[&str]) -> World {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut world = world(seed, sections).link(Link::lossy(0.1)).rtp_every(RTP_GAP);
    house::anna(&mut world, behaviour(&mut random));
    house::bo(&mut world, behaviour(&mut random));
    house::teams(&mut world, behaviour(&mut random));
    for number in 0..random.random_range(1..5) {
        let caller = world.caller(&format!("caller{number}"));
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, random.random_range(0..90_000) * MILLISECOND);
        world.run_for(random.random_range(0..8_000) * MILLISECOND);
    }
    world.run_for(100 * SECOND);
    world
}

fn days(seeds: std::ops::Range<u64>, sections: &[&str]) {
    for seed in seeds {
        let mut world = day(seed, sections);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn five_hundred_days_at_a_queue_with_a_tenth_of_all_datagrams_lost() {
    let impatient = QUEUE.replace("10m", "45s").replace("ring_timeout = \"20s\"", "ring_timeout = \"8s\"");
    days(0..500, &[&impatient, ANNA, BO]);
}

#[test]
fn five_hundred_days_of_plain_calls_with_a_tenth_of_all_datagrams_lost() {
    days(10_000..10_500, &[house::DIRECT]);
}
