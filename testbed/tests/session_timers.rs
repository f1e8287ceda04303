//! Session timers (RFC 4028) as callers and agents live through them.

mod house;

use std::{cell::RefCell, rc::Rc, time::Duration};

use house::{DIRECT, teams, the_end};
use router::journal::fact::{Cause, Fault, What};
use sip_core::{
    Message, SessionPolicy, Terms,
    message::{Header, Method},
};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, ROUTER, SECOND},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What a telephone wants; it refreshes by re-INVITE.
fn timers() -> Terms {
    let session = Some(SessionPolicy { expires: 1_800, min_se: 90, by_update: false });
    Terms { session, ..Terms::default() }
}

/// A house whose trunks have these keys, and a caller who dials `far` through it; three seconds old.
fn talk(keys: &str, caller_has: Terms, far_has: Terms) -> (World, PhoneId, PhoneId) {
    let mut config = house::house(&[DIRECT]);
    for trunk in ["[trunk.teams]\n", "[trunk.carrier]\n"] {
        config = config.replace(trunk, &format!("{trunk}{keys}\n"));
    }
    let mut world = World::new(1, &config).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.agrees_to(caller, caller_has);
    world.agrees_to(far, far_has);
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    (world, caller, far)
}

/// What the router sends by this method from now on.
fn requests_of_router(world: &mut World, method: Method) -> Rc<RefCell<Vec<Message>>> {
    house::spy(world, move |datagram, message| {
        let ours = message.is_request() && message.method() == method && datagram.from.to_string() == ROUTER;
        ours.then(|| message.clone())
    })
}

#[test]
fn we_refresh_the_callers_session_with_the_same_description_and_nobody_hears_a_seam() {
    let (mut world, caller, far) = talk("session_expires = \"90s\"", timers(), Terms::default());
    let sent = requests_of_router(&mut world, Method::Invite);
    world.run_for(5 * MINUTE);
    assert_eq!((world.state(caller), world.state(far)), (PhoneState::Talking, PhoneState::Talking));
    let bodies: Vec<_> = sent.borrow().iter().map(Message::body).collect();
    assert_eq!(bodies.len(), 6, "one in 45 s");
    assert!(bodies.iter().all(|body| *body == bodies[0] && !body.is_empty()), "{bodies:?}");
    let line = world.at(caller).line.clone();
    assert_eq!((line.sources.len(), line.jumps), (1, 0), "{line:?}");
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_refresh_by_update_carries_no_description() {
    let keys = "session_expires = \"90s\"\nrefresh = \"update\"";
    let (mut world, caller, _) = talk(keys, timers(), Terms::default());
    let sent = requests_of_router(&mut world, Method::Update);
    world.run_for(MINUTE);
    assert_eq!(sent.borrow().iter().map(|update| update.body().len()).collect::<Vec<_>>(), [0]);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn the_far_end_refreshes_what_we_have_called_and_that_changes_nothing() {
    let (mut world, caller, far) = talk("session_expires = \"90s\"", Terms::default(), timers());
    world.run_for(5 * MINUTE);
    assert_eq!((world.state(caller), world.state(far)), (PhoneState::Talking, PhoneState::Talking));
    assert_eq!(world.at(far).got("200"), 6, "{:?}", world.at(far).got);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_far_end_that_dies_on_us_ends_the_call_when_its_session_does() {
    let (mut world, caller, far) = talk("session_expires = \"90s\"", Terms::default(), timers());
    world.holds_in(caller, true, SECOND); // so that its silence is no sign
    world.dies_in(far, 2 * SECOND);
    world.run_for(50 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking);
    assert_eq!(the_end(&mut world), (Cause::SessionExpired, Fault::CalledSide, None));
    assert_eq!(world.state(caller), PhoneState::Ended);
    assert!(world.elapsed() < 2 * MINUTE, "{:?}", world.elapsed());
    assert_eq!(world.shard().numbers().sip.sessions_expired, 1);
}

#[test]
fn session_timers_that_are_off_are_not_spoken_of() {
    let (mut world, caller, far) = talk("session_expires = \"off\"", timers(), timers());
    let said = [&world.at(far).last["INVITE"], &world.at(caller).last["200"]];
    for message in said {
        assert_eq!(message.value(Header::SessionExpires), None);
        assert!(
            !message.has_token(Header::Supported, "timer") && !message.has_token(Header::Require, "timer")
        );
    }
    let sent = requests_of_router(&mut world, Method::Invite);
    world.run_for(16 * MINUTE);
    assert!(sent.borrow().is_empty());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_refresh_that_meets_a_hold_of_the_only_leg_there_is_comes_after_it() {
    let config = house::house(&[house::QUEUE])
        .replace("[trunk.carrier]\n", "[trunk.carrier]\nsession_expires = \"90s\"\n");
    let mut world = World::new(2, &config).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    world.agrees_to(caller, timers());
    world.dials(caller, "+4930999");
    // Ours leaves 45 s after the answer; his, in the same instant, has not arrived yet.
    world.holds_in(caller, true, 45 * SECOND + MILLISECOND);
    world.run_for(44 * SECOND);
    let sent = requests_of_router(&mut world, Method::Invite);
    world.run_for(15 * SECOND);
    assert_eq!((world.at(caller).got("491"), sent.borrow().len()), (1, 2), "{}", world.ladder());
    assert_eq!(
        house::count(&world, |what| matches!(what, What::Held { leg: 0, held: true })),
        1,
        "{}",
        world.ladder()
    );
    world.run_for(2 * MINUTE);
    assert_eq!(world.state(caller), PhoneState::Talking);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, None));
}
