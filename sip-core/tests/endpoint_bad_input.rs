//! Damaged messages at every stage of a call: never a panic, never anything left.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use sip_core::{Event, HangUp, Input, StatusCode};
use support::*;

/// One way to damage a message.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, u8),
    DropLine(prop::sample::Index),
    RepeatLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Junk(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    use prop::sample::Index;
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        any::<Index>().prop_map(Damage::DropLine),
        any::<Index>().prop_map(Damage::RepeatLine),
        any::<(Index, Index)>().prop_map(|(a, b)| Damage::SwapLines(a, b)),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(Damage::Junk),
    ]
}

fn damaged(mut text: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let lines =
        |text: &[u8]| -> Vec<Vec<u8>> { text.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect() };
    match damage {
        Damage::Cut(at) => text.truncate(at.index(text.len())),
        Damage::Byte(at, byte) => {
            let at = at.index(text.len());
            text[at] = *byte;
        }
        Damage::DropLine(at) => {
            let mut lines = lines(&text);
            lines.remove(at.index(lines.len()));
            text = lines.concat();
        }
        Damage::RepeatLine(at) => {
            let mut lines = lines(&text);
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
            text = lines.concat();
        }
        Damage::SwapLines(a, b) => {
            let mut lines = lines(&text);
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
            text = lines.concat();
        }
        Damage::Junk(junk) => text = junk.clone(),
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damaged_message_panics_or_leaves_anything_at_any_stage(
        stage in 0usize..6,
        which in 0usize..9,
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let mut desk = Desk::new();
        let (near, sent) = desk.act(|e, now| e.invite(now, invite(&["udp:10.0.0.2:5060"])));
        let (near, ours) = (near.unwrap(), sent[0].clone());
        let mut tag = "none".to_owned();
        if stage > 0 {
            desk.hear(&raw_invite("a", ""));
            let Some(Event::Invite { leg, .. }) = desk.events.last() else { panic!("no INVITE") };
            let leg = *leg;
            let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(180)));
            tag = tag_of(&sent[0]);
            if stage > 1 {
                desk.act(|e, now| e.respond(now, leg, reply(200)));
            }
            if stage > 2 {
                desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
            }
            if stage > 3 {
                desk.act(|e, now| e.reinvite(now, leg, sdp()));
            }
            if stage > 4 {
                desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
            }
        }
        let text = match which {
            0 => raw_invite("b", "").replace("c1@", "c2@"),
            1 => raw_invite("a", "").replace("INVITE", "CANCEL"),
            2 => raw_inside("INVITE", 11, "c", &tag, ""),
            3 => raw_inside("BYE", 12, "d", &tag, ""),
            4 => raw_inside("INFO", 13, "e", &tag, ""),
            5 => raw_inside("ACK", 10, "f", &tag, ""),
            6 => raw_response(&ours, 180, "bo", "Record-Route: <sip:10.0.0.9;lr>\n"),
            7 => raw_response(&ours, 200, "bo", "Record-Route: <sip:10.0.0.9>\n"),
            _ => raw_response(&ours, 486, "bo", ""),
        };
        let mut bytes = text.replace('\n', "\r\n").into_bytes();
        for damage in &damages {
            if !bytes.is_empty() {
                bytes = damaged(bytes, damage);
            }
        }
        let flow = desk.flow;
        desk.input(Input::Received { flow, bytes: Bytes::from(bytes) });
        // Whoever is told of a leg ends it; then nothing may be left.
        let mut legs = vec![near];
        legs.extend(desk.events.iter().filter_map(|event| match event {
            Event::Invite { leg, .. } | Event::Reinvite { leg, .. } => Some(*leg),
            _ => None,
        }));
        for leg in legs {
            desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
        }
        desk.assert_nothing_left();
    }
}
