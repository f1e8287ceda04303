//! UPDATE in both roles against hand-written messages: RFC 3311 §5.

mod support;

use sip_core::message::Message;
use sip_core::{Event, LegKey, RequestKey};
use support::*;

const OFFERS: &str = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\r\n";

/// A desk in a call that it was called for; the leg and our tag.
fn talking() -> (Desk, LegKey, String) {
    let (mut desk, leg, tag) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.events.clear();
    (desk, leg, tag)
}

/// A desk that is being called and has said 183; the leg and our tag.
fn invited() -> (Desk, LegKey, String) {
    let mut desk = Desk::new();
    desk.hear(&raw_invite("a", "Allow: INVITE, UPDATE\n"));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(183)));
    (desk, leg, tag_of(&sent[0]))
}

fn asked(desk: &mut Desk) -> (RequestKey, Message) {
    match desk.events.pop() {
        Some(Event::Request { key, request, .. }) => (key, request),
        other => panic!("{other:?}"),
    }
}

#[test]
fn update_is_in_our_allow() {
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_invite("a", "").replace("INVITE", "OPTIONS"));
    assert!(header(&sent[0], "Allow").contains("UPDATE"));
}

#[test]
fn section_5_2_an_update_without_offer_is_answered_at_once_in_early_and_confirmed_dialogs() {
    for (mut desk, leg, tag) in [invited(), talking()] {
        let moved =
            raw_inside("UPDATE", 11, "u", &tag, "").replace("sip:a@10.0.0.2:5060>", "sip:a@10.0.0.9:5070>");
        let sent = desk.hear(&moved);
        assert_eq!(statuses(&sent), [200]);
        assert!(!header(&sent[0], "Contact").is_empty() && header(&sent[0], "Allow").contains("UPDATE"));
        assert_eq!(statuses(&desk.hear(&moved)), [200], "a repeat hears the same");
        assert_eq!(desk.names(), [""; 0]);
        desk.act(|e, now| e.respond(now, leg, reply(200)));
        desk.hear(&raw_inside("ACK", 10, "ack2", &tag, ""));
        let (_, bye) =
            desk.act(|e, now| e.hang_up(now, leg, sip_core::HangUp::new(sip_core::StatusCode::OK)));
        assert_eq!(bye[0].request_uri_bytes(), "sip:a@10.0.0.9:5070", "it is a target refresh (§5.1)");
    }
}

#[test]
fn section_5_2_an_offer_waits_for_the_callers_answer_and_a_second_one_gets_500_meanwhile() {
    let (mut desk, leg, tag) = talking();
    assert!(desk.hear(&raw_inside("UPDATE", 11, "u", &tag, OFFERS)).is_empty());
    let (key, request) = asked(&mut desk);
    assert_eq!(request.body(), "v=0\r\n");
    let sent = desk.hear(&raw_inside("UPDATE", 12, "w", &tag, OFFERS));
    assert_eq!(statuses(&sent), [500]);
    assert!(header(&sent[0], "Retry-After").parse::<u8>().unwrap() <= 10);
    assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 13, "v", &tag, ""))), [200], "no offer, no glare");
    let sent = desk.hear(&raw_inside("UPDATE", 14, "y", &tag, OFFERS));
    assert_eq!(statuses(&sent), [500], "the first still waits, whatever became of the others");
    desk.act(|e, now| e.update(now, leg, sdp()));
    assert_eq!(desk.names(), ["updated 491"]);
    let (_, sent) = desk.act(|e, now| e.answer_request(now, leg, key, reply(200).with_body(sdp().unwrap())));
    assert_eq!((statuses(&sent), &sent[0].body()[..]), (vec![200], OFFER));
    desk.hear(&raw_inside("UPDATE", 15, "x", &tag, OFFERS));
    asked(&mut desk);
}

#[test]
fn section_5_2_an_offer_while_ours_is_unanswered_gets_491() {
    let (mut desk, leg, tag) = talking();
    desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 11, "u", &tag, OFFERS))), [491]);
    assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 12, "w", &tag, ""))), [200], "no offer, no glare");
    let (mut desk, leg, tag) = talking();
    desk.act(|e, now| e.update(now, leg, sdp()));
    assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 11, "u", &tag, OFFERS))), [491]);
}

#[test]
fn section_5_2_an_offer_while_their_reinvite_waits_gets_500() {
    let (mut desk, _, tag) = talking();
    desk.hear(&raw_inside("INVITE", 11, "i", &tag, OFFERS));
    assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 12, "u", &tag, OFFERS))), [500]);
}

#[test]
fn section_5_1_an_update_of_ours_ends_with_its_final_response_and_follows_the_new_contact() {
    let (mut desk, leg, tag) = talking();
    assert!(desk.endpoint.allows_update(leg));
    let (_, sent) = desk.act(|e, now| e.update(now, leg, sdp()));
    assert_eq!((lines(&sent), &sent[0].body()[..]), (vec!["UPDATE".to_owned()], OFFER));
    assert!(!header(&sent[0], "Contact").is_empty());
    desk.hear(
        &raw_response(&sent[0], 200, &tag, "").replace("sip:bo@10.0.0.2:5060>", "sip:bo@10.0.0.9:5060>"),
    );
    assert_eq!(desk.names(), ["updated 200"]);
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, sip_core::HangUp::new(sip_core::StatusCode::OK)));
    assert_eq!(bye[0].request_uri_bytes(), "sip:bo@10.0.0.9:5060");
}

#[test]
fn section_5_1_an_offer_of_ours_during_another_exchange_ends_with_491_at_once() {
    let (mut desk, leg, tag) = talking();
    desk.hear(&raw_inside("INVITE", 11, "i", &tag, OFFERS));
    desk.events.clear();
    let (_, sent) = desk.act(|e, now| e.update(now, leg, sdp()));
    assert!(sent.is_empty());
    assert_eq!(desk.names(), ["updated 491"]);
}

#[test]
fn an_update_that_is_never_answered_ends_with_408_and_leaves_nothing() {
    let (mut desk, leg, _) = talking();
    desk.act(|e, now| e.update(now, leg, sdp()));
    desk.pass(32 * SECOND);
    assert_eq!(desk.names(), ["updated 408"]);
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, sip_core::HangUp::new(sip_core::StatusCode::OK)));
    desk.hear(&raw_response(&bye[0], 200, "far", ""));
    desk.assert_nothing_left();
}

#[test]
fn an_update_outside_a_dialog_gets_481() {
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_inside("UPDATE", 11, "u", "nobody", ""));
    assert_eq!(statuses(&sent), [481]);
}
