//! What happens, in order.

use std::time::Duration;

use super::{
    super::books::Books,
    house::{ANNA, BO, CLEO, DORA, EMIL, FRITZ, GINA, OUTSIDE, people},
    stage::Stage,
};
use crate::teams::Conduct;

const SUPPORT: &str = "+493012345";
const EXPERTS: &str = "+493012346";
const NIGHT: &str = "+493012347";
const BOTH: &str = "+493012348";
/// Wrap-ups of a second, and a little more.
const BREATH: Duration = Duration::from_millis(1_600);

/// Tells all of it; false if the router was never ready.
pub(super) async fn tell(stage: &mut Stage, books: &Books<'_>) -> bool {
    println!("{:>8}", "seconds");
    if !stage.sees("the router is ready", 10, |_| books.is_ready()).await {
        return false;
    }
    let active = |stage: &Stage| stage.teams.proxy.is_active();
    stage
        .sees("the trunk is active: OPTIONS with our name, answered; Teams' own, answered by us", 10, active)
        .await;
    let ready = |_: &Stage| books.available() == Some(people().len());
    stage.sees("Graph says that all seven are available", 10, ready).await;
    a_call(stage).await;
    a_consultation(stage).await;
    presence(stage, books).await;
    a_blind_transfer(stage).await;
    a_place_taken(stage).await;
    two_at_once(stage).await;
    a_night(stage).await;
    out_of_teams(stage).await;
    another_centre(stage).await;
    let quiet = |stage: &Stage| stage.is_quiet() && books.left_over() == Ok(0);
    stage.sees("nothing is left of any call", 10, quiet).await;
    true
}

/// A caller in the queue, an agent in Teams, hold and resume.
async fn a_call(stage: &mut Stage) {
    stage.dials(0, SUPPORT);
    stage
        .sees("420 Hz ⇄ Anna, 1100 Hz: over TLS and SRTP, each hears the other", 10, |stage| {
            stage.talk(0, ANNA)
        })
        .await;
    let now = stage.now();
    stage.teams.proxy.holds(now, ANNA, true);
    let music = |stage: &Stage| stage.hears(0).is_none() && stage.is_on_line(0);
    stage.pass(Duration::from_millis(400)).await;
    stage.sees("Anna holds (a=inactive): the caller hears music, not her", 5, music).await;
    let now = stage.now();
    stage.teams.proxy.holds(now, ANNA, false);
    stage.sees("Anna takes him back: each hears the other", 5, |stage| stage.talk(0, ANNA)).await;
    let now = stage.now();
    stage.teams.proxy.refreshes(now, ANNA);
    let refreshed = |stage: &Stage| stage.teams.proxy.seen.refreshed == 1;
    stage.sees("Teams refreshes the session by re-INVITE, and nothing changes", 5, refreshed).await;
    stage.teams.proxy.presses(ANNA, '5');
    let heard = |stage: &Stage| stage.floor.phones[0].digits == "5" && stage.talk(0, ANNA);
    stage.sees("Anna presses 5: he gets it, and each still hears the other", 5, heard).await;
}

/// Anna has asked Bo inside Teams and hands the caller over: REFER over another connection, BYE 280 ms later.
async fn a_consultation(stage: &mut Stage) {
    let now = stage.now();
    stage.teams.proxy.transfers(now, ANNA, BO, true);
    stage
        .sees("Anna hands him over to Bo, and hangs up before he has him", 5, |stage| {
            !stage.teams.proxy.talks(ANNA)
        })
        .await;
    stage.sees("420 Hz ⇄ Bo, 1300 Hz: each hears the other", 10, |stage| stage.talk(0, BO)).await;
    stage.graph.says(&people()[BO].id, "Busy", "InACall");
    stage.pass(Duration::from_millis(500)).await;
    stage.hangs_up(0);
    stage.sees("the caller hangs up, and Bo's call ends", 5, |stage| !stage.teams.proxy.talks(BO)).await;
}

/// Whoever Teams says is busy gets no calls, whatever the queue wants.
async fn presence(stage: &mut Stage, books: &Books<'_>) {
    stage.pass(BREATH).await; // his wrap-up, and what Graph says of our own call is not believed for a second
    let held = |_: &Stage| books.is_held_back("bo");
    stage.sees("Bo speaks with somebody else (InACall): he is held back", 10, held).await;
    let called = stage.teams.proxy.people[BO].called;
    stage.dials(1, EXPERTS);
    stage.pass(Duration::from_millis(2_500)).await;
    let spared = stage.teams.proxy.people[BO].called == called;
    stage.holds("he is not rung while a caller waits for him alone", spared);
    stage.graph.says(&people()[BO].id, "Available", "Available");
    stage
        .sees("Graph says that he is available: he is rung, and each hears the other", 10, |stage| {
            stage.talk(1, BO)
        })
        .await;
    stage.hangs_up(1);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(BO)).await;
}

/// Anna gives a caller away without asking: she has him until the other answers, and is told how it goes.
async fn a_blind_transfer(stage: &mut Stage) {
    stage.teams.proxy.switches.patient = true;
    stage.teams.proxy.people[DORA].conduct = Conduct::Answers(Duration::from_millis(1_500));
    stage.dials(4, SUPPORT);
    stage.sees("480 Hz ⇄ Anna: each hears the other", 10, |stage| stage.talk(4, ANNA)).await;
    let before = stage.teams.proxy.seen.told.len();
    let now = stage.now();
    stage.teams.proxy.transfers(now, ANNA, DORA, false);
    let rings = |stage: &Stage| stage.teams.proxy.is_rung(DORA) && stage.teams.proxy.talks(ANNA);
    stage.sees("Anna transfers him blind to Dora: who rings, and Anna's call is still there", 5, rings).await;
    let there = |stage: &Stage| stage.talk(4, DORA) && !stage.teams.proxy.talks(ANNA);
    stage.sees("Dora answers: each hears the other, and Anna's call is over", 10, there).await;
    let told = &stage.teams.proxy.seen.told[before..];
    let whole = told.first() == Some(&100) && told.contains(&180) && told.last() == Some(&200);
    stage.holds("Teams was told 100, 180 and 200 of it", whole);
    stage.hangs_up(4);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(DORA)).await;
    stage.teams.proxy.switches.patient = false;
}

/// Teams puts Bo in Anna's place by an INVITE with Replaces.
async fn a_place_taken(stage: &mut Stage) {
    stage.pass(BREATH).await;
    stage.dials(5, SUPPORT);
    stage.sees("600 Hz ⇄ Anna: each hears the other", 10, |stage| stage.talk(5, ANNA)).await;
    let now = stage.now();
    stage.teams.proxy.takes_over(now, BO, ANNA, SUPPORT);
    let there = |stage: &Stage| stage.talk(5, BO) && !stage.teams.proxy.talks(ANNA);
    stage.sees("INVITE with Replaces: Bo has him in Anna's place, whose call is over", 5, there).await;
    stage.hangs_up(5);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(BO)).await;
    stage.pass(BREATH).await;
}

/// Two ring, one answers: the other sees no missed call. Nor does who rings for a caller who gives up.
async fn two_at_once(stage: &mut Stage) {
    stage.teams.proxy.people[CLEO].conduct = Conduct::LetsRing;
    stage.teams.proxy.people[BO].conduct = Conduct::Answers(Duration::from_millis(1_200));
    stage.dials(6, BOTH);
    let both = |stage: &Stage| stage.teams.proxy.is_rung(BO) && stage.teams.proxy.is_rung(CLEO);
    stage.sees("Bo and Cleo ring at once", 5, both).await;
    stage.sees("Bo answers: each hears the other", 10, |stage| stage.talk(6, BO)).await;
    let spared = |stage: &Stage| {
        let cleo = &stage.teams.proxy.people[CLEO];
        !stage.teams.proxy.is_rung(CLEO) && (cleo.spared, cleo.missed) == (1, 0)
    };
    stage.sees("Cleo's call is taken back with \"Call completed elsewhere\"", 5, spared).await;
    stage.hangs_up(6);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(BO)).await;
    stage.dials(8, NIGHT);
    stage.sees("Cleo rings again", 5, |stage| stage.teams.proxy.is_rung(CLEO)).await;
    stage.hangs_up(8);
    let spared = |stage: &Stage| {
        let cleo = &stage.teams.proxy.people[CLEO];
        !stage.teams.proxy.is_rung(CLEO) && (cleo.spared, cleo.missed) == (2, 0)
    };
    stage.sees("the caller gives up, and Cleo sees no missed call of his either", 5, spared).await;
}

/// A decline, a busy, one who is away, mailboxes that press no key; and one who does.
async fn a_night(stage: &mut Stage) {
    let people = &mut stage.teams.proxy.people;
    people[CLEO].conduct = Conduct::Declines;
    people[DORA].conduct = Conduct::IsBusy;
    people[FRITZ].conduct = Conduct::IsAway;
    people[GINA].conduct = Conduct::Voicemail;
    people[EMIL].conduct = Conduct::IsForwarded(Duration::from_millis(500));
    people[ANNA].presses = Some('1');
    stage.dials(2, NIGHT);
    stage
        .sees(
            "Cleo declines (603), Dora is busy (486), Fritz is away (480), Gina's mailbox answers without ringing: the next is rung",
            5,
            |stage| stage.teams.proxy.is_called(EMIL) && !stage.teams.proxy.talks(GINA),
        )
        .await;
    stage
        .sees("Emil's mailbox answers, hears the whisper and presses nothing", 5, |stage| {
            stage.teams.proxy.talks(EMIL)
        })
        .await;
    let emil = people_hz(stage, EMIL);
    let mailbox = |stage: &Stage| stage.hears(2) == Some(emil);
    let end = stage.now() + Duration::from_millis(1_000);
    let mut heard = false;
    while stage.now() < end {
        stage.turn().await;
        heard |= mailbox(stage);
    }
    stage.holds("the caller does not hear the mailbox", !heard);
    stage.sees("Anna presses 1 and has him: each hears the other", 10, |stage| stage.talk(2, ANNA)).await;
    stage.hangs_up(2);
    stage.teams.proxy.people[ANNA].presses = None;
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(ANNA)).await;
    stage.pass(BREATH).await;
}

/// An agent calls out of Teams.
async fn out_of_teams(stage: &mut Stage) {
    let now = stage.now();
    stage.teams.proxy.dials(now, BO, "+4930222007");
    stage
        .sees("Bo calls +4930222007 out of Teams: each hears the other", 10, |stage| stage.talk(OUTSIDE, BO))
        .await;
    let now = stage.now();
    stage.teams.proxy.hangs_up(now, BO);
    stage.sees("Bo hangs up", 5, |stage| stage.is_free(OUTSIDE)).await;
}

/// The first data centre sends us away, then the second too.
async fn another_centre(stage: &mut Stage) {
    let asked =
        |stage: &Stage| [0, 1, 2].map(|at| stage.teams.proxy.seen.invites.get(&at).copied().unwrap_or(0));
    stage.teams.proxy.switches.overloaded = vec![0];
    let before = asked(stage);
    stage.dials(3, SUPPORT);
    stage
        .sees("sip answers 503 with Retry-After, sip2 takes the call: each hears the other", 10, |stage| {
            stage.talk(3, ANNA)
        })
        .await;
    let after = asked(stage);
    let first_two = after == [before[0] + 1, before[1] + 1, before[2]];
    stage.holds("INVITEs came to sip and sip2, one each, and to sip3 none", first_two);
    stage.hangs_up(3);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(ANNA)).await;
    stage.pass(BREATH).await;
    stage.teams.proxy.switches.overloaded = vec![0, 1];
    let before = asked(stage);
    stage.dials(7, SUPPORT);
    stage.sees("sip2 does so too: sip3 takes the call", 10, |stage| stage.talk(7, ANNA)).await;
    let after = asked(stage);
    stage.holds("one INVITE came to sip3", after[2] == before[2] + 1 && after[1] == before[1] + 1);
    stage.hangs_up(7);
    stage.sees("the caller hangs up", 5, |stage| !stage.teams.proxy.talks(ANNA)).await;
    stage.teams.proxy.switches.overloaded.clear();
}

fn people_hz(stage: &Stage, person: usize) -> u16 {
    stage.teams.proxy.people[person].hz
}
