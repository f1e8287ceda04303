//! One endpoint among far ends that say anything at any time, an owner who commands anything, and time that leaps.
//!
//! Nothing panics; what was due at an instant is not due again; what exists is bounded by the settings and by what the
//! owner has begun; a leg that is over is not heard of again; what the endpoint says can be read; and when the owner
//! has hung up and time has passed, nothing is left.

mod desk;
mod owner;
mod tape;
mod words;

use desk::Desk;
use tape::Tape;

/// Each byte is a decision: what happens next, then how.
pub fn run(data: &[u8]) {
    let mut tape = Tape(data);
    let mut desk = Desk::new();
    owner::agree(&mut desk, &mut tape);
    while !tape.is_empty() {
        step(&mut desk, &mut tape);
        desk.assert_bounded();
    }
    desk.close_up();
}

fn step(desk: &mut Desk, tape: &mut Tape<'_>) {
    match tape.byte() & 15 {
        0 => desk.hear_beginning(tape),
        1..=3 => desk.hear_inside(tape),
        4..=6 => desk.hear_response(tape),
        7 => desk.hear_of_invite(tape),
        8 => desk.hear_again(tape),
        9 | 10 => owner::command(desk, tape),
        11..=13 => owner::answer(desk, tape),
        14 => desk.pass(tape),
        _ => elsewhere(desk, tape),
    }
}

/// What happens seldom.
fn elsewhere(desk: &mut Desk, tape: &mut Tape<'_>) {
    match tape.byte() & 7 {
        0 => desk.hear(tape.bytes().to_vec(), 0),
        1..=3 => desk.hear_flood(tape),
        4 => owner::house(desk, tape),
        _ => desk.wire(tape),
    }
}
