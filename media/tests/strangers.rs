//! What comes to a media port and does not belong there: it reaches nobody, draws nothing, and harms no call.

mod common;

use std::net::SocketAddr;

use common::*;
use media::rtp::rtcp::{self, ReportBlock};
use media::rtp::{Fields, packet::HEADER};
use media::{Command, Event};

const CALLER: u32 = 0xaaaa;
const AGENT: u32 = 0xbbbb;

fn stranger() -> SocketAddr {
    "203.0.113.66:4000".parse().unwrap()
}

/// Both have been heard for a second: each is pinned.
fn talking() -> Stage {
    let mut stage = Stage::bridged();
    for n in 0..50 {
        talk(&mut stage, n);
    }
    stage.take_sent(A);
    stage.take_sent(B);
    stage.take_events();
    stage
}

/// 20 ms in which both speak.
fn talk(stage: &mut Stage, n: u32) {
    assert!(stage.hear(A, sound(CALLER, n), &[0x2a; 160]), "{n}");
    assert!(stage.hear(B, sound(AGENT, n), &[0x2b; 160]), "{n}");
    stage.run(FRAME);
}

/// Nothing has gone anywhere but to the two peers.
fn assert_only_peers_are_sent_to(stage: &Stage) {
    let rtp = |leg: media::MediaLegKey, to: SocketAddr| to == peer(leg);
    assert!(stage.sent.iter().all(|sent| rtp(sent.leg, sent.to)), "{:?}", stage.sent);
    let rtcp = |(leg, to, _): &(media::MediaLegKey, SocketAddr, Vec<u8>)| to.ip() == peer(*leg).ip();
    assert!(stage.reports.iter().all(rtcp), "{:?}", stage.reports);
}

#[test]
fn a_stranger_neither_hears_nor_is_heard_once_the_peer_is_known() {
    let mut stage = talking();
    for n in 50..300 {
        for other in [stranger(), SocketAddr::new(peer(A).ip(), 4_002), SocketAddr::new(stranger().ip(), 9)] {
            assert!(!stage.hear_from(A, other, sound(0xdead, n), &[0x66; 160]));
        }
        talk(&mut stage, n);
    }
    assert_only_peers_are_sent_to(&stage);
    assert!(stage.take_sent(B).iter().all(|sent| sent.payload == [0x2a; 160]));
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.rejected, stats.received_packets, stats.losses.lost), (750, 300, 0));
    assert_eq!(stage.take_events(), [], "nobody is told of a stranger packet by packet");
}

/// He knows all of it: SSRC, payload type and the very next number. The true packet still goes through, and on time.
#[test]
fn a_forged_packet_with_the_right_numbers_takes_nobodys_place() {
    let mut stage = talking();
    for n in 50..150 {
        assert!(!stage.hear_from(A, stranger(), sound(CALLER, n), &[0x66; 160]));
        assert!(!stage.hear_from(A, stranger(), sound(CALLER, n + 2_000), &[0x66; 160]));
        talk(&mut stage, n);
    }
    let sent = stage.take_sent(B);
    assert_eq!(sent.len(), 100);
    assert!(sent.windows(2).all(|pair| pair[1].packet.sequence == pair[0].packet.sequence.wrapping_add(1)));
    assert_eq!(stage.engine.stats(A).unwrap().duplicates, 0);
}

#[test]
fn a_strangers_reports_move_nothing_and_say_nothing_about_us() {
    let mut stage = talking();
    let block = ReportBlock { ssrc: ours(A), lost: 1_000, fraction_lost: 255, ..ReportBlock::default() };
    let mut bytes = vec![];
    rtcp::write(&mut bytes, CALLER, 5, None, Some(block), true);
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, stranger(), &mut bytes.clone());
    stage.hear_bytes(A, stranger(), &bytes);
    for n in 50..1_000 {
        talk(&mut stage, n);
    }
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.remote_lost, stats.received_reports, stats.rejected), (None, 0, 2));
    assert_only_peers_are_sent_to(&stage);
}

#[test]
fn a_stranger_cannot_press_keys() {
    let mut stage = talking();
    let event = Fields { marker: true, payload_type: 101, ..sound(CALLER, 50) };
    assert!(!stage.hear_from(A, stranger(), event, &[5, 0x80, 6, 0x40]));
    stage.run(1_000 * MS);
    assert!(!stage.take_events().iter().any(|event| matches!(event, Event::Digit { .. })));
}

/// Each of these is counted where it belongs and changes nothing, whoever sends it.
#[test]
fn what_is_no_sound_is_counted_and_dropped_even_from_the_peer() {
    let mut stage = talking();
    let header = |first: u8| {
        let mut datagram = vec![0; HEADER + 160];
        sound(CALLER, 50).write(datagram.first_chunk_mut().unwrap());
        datagram[0] = first;
        datagram
    };
    let stun = [&[0u8, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let dtls = [&[22u8, 254, 253][..], &[0; 60]].concat();
    let before = *stage.engine.counters();
    for from in [peer(A), stranger()] {
        for datagram in [
            vec![],
            vec![0x80],
            header(0x40), // version 1
            header(0xc0), // version 3
            header(0x80)[..11].to_vec(),
            header(0x8f)[..HEADER + 8].to_vec(), // 15 contributing sources, two of them there
            header(0x90)[..HEADER + 2].to_vec(), // an extension that is not there
            [&header(0xa0)[..], &[255]].concat(), // more padding than packet
            stun.clone(),
            dtls.clone(),
        ] {
            assert!(!stage.hear_bytes(A, from, &datagram), "{datagram:x?}");
        }
    }
    let counted = *stage.engine.counters();
    assert_eq!((counted.stun - before.stun, counted.dtls - before.dtls), (2, 2));
    assert_eq!((counted.malformed - before.malformed, counted.noise - before.noise), (8, 8));
    assert_eq!(counted.received, before.received);
    talk(&mut stage, 50);
    assert_eq!(stage.take_sent(B).len(), 1, "and the call goes on with the very next packet");
    assert_only_peers_are_sent_to(&stage);
}

/// RFC 3550 §8.2: who finds his own SSRC on somebody else says BYE for it and takes another.
#[test]
fn a_peer_who_has_our_ssrc_makes_us_take_another_once() {
    let mut stage = talking();
    let before = stage.reports.len();
    assert!(stage.hear(A, sound(ours(A), 1_000), &[0x2a; 160]), "he is heard nevertheless");
    let goodbye = &stage.reports[before..];
    let [(leg, to, bytes)] = goodbye else { panic!("{goodbye:?}") };
    assert_eq!((*leg, to.ip()), (A, peer(A).ip()));
    let read = rtcp::read(bytes, 0).unwrap();
    assert_eq!((read.ssrc, read.goodbye), (ours(A), true));
    talk(&mut stage, 50);
    let sent = stage.take_sent(A);
    let new = sent[0].packet.ssrc;
    assert_ne!(new, ours(A));
    // He may only send back what we send: then each new one would be his too.
    for n in 0..100 {
        stage.hear(A, sound(new, 2_000 + n), &[0x2a; 160]);
        stage.hear(B, sound(AGENT, 51 + n), &[0x2b; 160]);
        stage.run(FRAME);
    }
    assert!(stage.take_sent(A).iter().all(|sent| sent.packet.ssrc == new));
    let goodbyes =
        stage.reports.iter().filter(|(leg, _, bytes)| *leg == A && rtcp::read(bytes, 0).unwrap().goodbye);
    assert_eq!(goodbyes.count(), 1);
    stage.command(Command::Close { leg: A });
    let (.., last) = stage.reports.last().unwrap();
    assert_eq!(rtcp::read(last, 0).unwrap().ssrc, new, "BYE for the one in use");
}

#[test]
fn the_line_of_packets_goes_on_without_a_seam_under_another_ssrc() {
    let mut stage = Stage::bridged();
    for n in 0..50 {
        if n == 25 {
            stage.hear(A, sound(ours(A), n), &[0x2a; 160]);
        }
        stage.hear(B, sound(AGENT, n), &[0x2b; 160]);
        stage.run(FRAME);
    }
    let sent = stage.take_sent(A);
    assert_eq!(sent.len(), 50);
    assert!(sent.windows(2).all(|pair| {
        let [before, after] = [&pair[0].packet, &pair[1].packet];
        after.sequence == before.sequence.wrapping_add(1)
            && after.timestamp == before.timestamp.wrapping_add(160)
    }));
}
