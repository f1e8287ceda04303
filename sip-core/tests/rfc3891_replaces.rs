//! An INVITE that wants another dialog's place: RFC 3891 §3.

mod support;

use sip_core::{Event, HangUp, LegKey, Named, StatusCode, message::Replaces};
use support::*;

/// A desk in a call; the leg and our tag.
fn talking() -> (Desk, LegKey, String) {
    let mut desk = Desk::new();
    desk.hear(&raw_invite("a", ""));
    let Some(Event::Invite { leg, replaces: None, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.events.clear();
    (desk, leg, tag)
}

/// An INVITE of another call with these fields.
fn second(branch: &str, extra: &str) -> String {
    let plain =
        raw_invite(branch, "").replace("tag=far", "tag=other").replace("c1@far", &format!("{branch}@far"));
    format!("{}{extra}\n", plain.strip_suffix('\n').expect("an empty line"))
}

fn named(tag: &str) -> String {
    format!("Replaces: c1@far;to-tag={tag};from-tag=far")
}

#[test]
fn s3_the_call_that_is_named_is_told_with_the_invite() {
    let (mut desk, leg, tag) = talking();
    let sent = desk.hear(&second("b", &format!("Require: replaces\n{}\n", named(&tag))));
    assert_eq!(statuses(&sent), [100]);
    let Some(Event::Invite { replaces, .. }) = desk.events.pop() else { panic!("no INVITE") };
    assert_eq!(replaces, Some(leg));
}

#[test]
fn s3_what_names_no_call_of_ours_is_481_and_costs_nothing() {
    let (mut desk, _, tag) = talking();
    let before = desk.endpoint.live_legs();
    for (at, value) in [
        format!("c2@far;to-tag={tag};from-tag=far"),
        format!("c1@far;to-tag={tag};from-tag=fur"),
        "c1@far;to-tag=forged;from-tag=far".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let sent = desk.hear(&second(&format!("n{at}"), &format!("Replaces: {value}\n")));
        assert_eq!(statuses(&sent), [481], "{value}");
    }
    assert_eq!((desk.endpoint.live_legs(), desk.names()), (before, vec![]));
}

#[test]
fn s3_two_of_them_or_a_broken_one_or_one_beside_a_join_are_400() {
    let (mut desk, _, tag) = talking();
    let named = named(&tag);
    for (at, extra) in
        [format!("{named}\n{named}\n"), "Replaces: c1@far\n".to_owned(), format!("{named}\nJoin: x\n")]
            .iter()
            .enumerate()
    {
        assert_eq!(statuses(&desk.hear(&second(&format!("b{at}"), extra))), [400], "{extra}");
    }
}

#[test]
fn s3_a_call_that_is_over_is_declined_and_one_that_is_answered_is_busy_for_early_only() {
    let (mut desk, leg, tag) = talking();
    assert_eq!(statuses(&desk.hear(&second("e", &format!("{};early-only\n", named(&tag))))), [486]);
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert_eq!(statuses(&desk.hear(&second("o", &format!("{}\n", named(&tag))))), [603]);
}

#[test]
fn s3_a_call_that_we_have_not_answered_is_nobodys_to_take() {
    let mut desk = Desk::new();
    desk.hear(&raw_invite("a", ""));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, ringing) = desk.act(|e, now| e.respond(now, leg, reply(180)));
    let sent = desk.hear(&second("b", &format!("{}\n", named(&tag_of(&ringing[0])))));
    assert_eq!(statuses(&sent), [481]);
}

#[test]
fn a_call_of_ours_is_named_by_both_its_tags_also_the_wrong_way_round() {
    let mut desk = Desk::new();
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite(&["udp:10.0.0.2:5060"])).unwrap());
    desk.hear(&raw_response(&sent[0], 180, "bo", ""));
    let from = sent[0].from().unwrap();
    let ours = String::from_utf8(from.tag().unwrap().to_vec()).unwrap();
    let name = |to: &str, from: &str| {
        let call_id = header(&sent[0], "Call-ID");
        Replaces::parse(format!("{call_id};to-tag={to};from-tag={from}").as_bytes()).unwrap()
    };
    assert_eq!(desk.endpoint.named(&name(&ours, "bo")), Some(Named::Ringing(leg)));
    desk.hear(&raw_response(&sent[0], 200, "bo", ""));
    desk.act(|e, now| e.ack(now, leg, None));
    for (to, from) in [(ours.as_str(), "bo"), ("bo", ours.as_str())] {
        assert_eq!(desk.endpoint.named(&name(to, from)), Some(Named::Answered(leg)));
    }
    let told = desk.endpoint.name(leg).unwrap();
    assert_eq!(told.to_string(), name("bo", &ours).to_string());
}
