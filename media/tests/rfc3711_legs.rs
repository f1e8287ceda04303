//! Legs with SRTP and without through one engine: relay, prompts, digits, reports, recordings; whose packets count; how
//! long a rollover counter lasts (RFC 3711 §3.3.1, RFC 4568 §7.1.4).

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{A, B, C, FRAME, MS, Stage, ours, peer, prompt, sound, stream, title};
use media::sdp::Keys;
use media::srtp::{GROWTH, MasterKey, Receiver, Sender, Suite};
use media::{Command, Digit, Direction, Event, MediaLegKey, Stream};

const THEIRS: u32 = 0xfeed;

fn key(suite: Suite, seed: u8) -> MasterKey {
    MasterKey::new(suite, &vec![seed; MasterKey::len(suite)]).unwrap()
}

/// A stream whose peer sends with key `theirs` and gets ours of 1.
fn secure(leg: MediaLegKey, suite: Suite, theirs: u8) -> Stream {
    let keys = Keys { send: key(suite, 1), receive: key(suite, theirs).into() };
    Stream { keys: Some(Box::new(keys)), ..stream(leg) }
}

/// The far end of a protected leg.
struct Peer {
    sender: Sender,
    receiver: Receiver,
}

impl Peer {
    fn new(suite: Suite, seed: u8) -> Peer {
        Peer { sender: Sender::new(&key(suite, seed)), receiver: Receiver::new(&key(suite, 1).into()) }
    }

    fn packet(&mut self, n: u32, payload: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; 12];
        sound(THEIRS, n).write(buffer.first_chunk_mut().unwrap());
        buffer.extend(payload);
        let len = buffer.len();
        buffer.resize(len + GROWTH, 0);
        let len = self.sender.protect_rtp(&mut buffer, len).unwrap();
        buffer.truncate(len);
        buffer
    }

    fn opens(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let len = self.receiver.unprotect_rtp(&mut bytes).expect("authentic");
        bytes[12..len].to_vec()
    }

    fn says(&mut self, stage: &mut Stage, leg: MediaLegKey, n: u32, payload: &[u8]) -> bool {
        let packet = self.packet(n, payload);
        stage.hear_bytes(leg, peer(leg), &packet)
    }
}

/// A in the clear, B protected, bridged.
fn half_secure(suite: Suite) -> (Stage, Peer) {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).open(B).connect(B, secure(B, suite, 2));
    stage.command(Command::Bridge { a: A, b: B });
    (stage, Peer::new(suite, 2))
}

#[test]
fn a_leg_in_the_clear_and_a_protected_one_hear_each_other() {
    for suite in Suite::ALL {
        let (mut stage, mut far) = half_secure(suite);
        for n in 0..200u32 {
            assert!(stage.hear(A, sound(7, n), &[n as u8; 160]));
            let sent = stage.take_sent(B).pop().unwrap();
            assert_ne!(sent.bytes[12..172], [n as u8; 160]);
            assert_eq!(far.opens(&sent.bytes), [n as u8; 160], "{suite} {n}");
            assert!(far.says(&mut stage, B, 65_500 + n, &[!(n as u8); 160]));
            assert_eq!(stage.take_sent(A).pop().unwrap().payload, [!(n as u8); 160], "{suite} {n}");
        }
        let events = stage.take_events();
        assert!(events.iter().any(|event| matches!(event, Event::TwoWay { .. })), "{events:?}");
        assert_eq!(stage.engine.stats(B).unwrap().suite, Some(suite));
        assert_eq!(stage.engine.stats(A).unwrap().suite, None);
    }
}

#[test]
fn two_protected_legs_have_suites_of_their_own() {
    let mut stage = Stage::new();
    let (one, two) = (Suite::AeadAes256Gcm, Suite::AesCm128HmacSha1_32);
    stage.open(A).connect(A, secure(A, one, 2)).open(B).connect(B, secure(B, two, 3));
    stage.command(Command::Bridge { a: A, b: B });
    let (mut far_a, mut far_b) = (Peer::new(one, 2), Peer::new(two, 3));
    for n in 0..100u32 {
        assert!(
            far_a.says(&mut stage, A, n, &[n as u8; 160]) && far_b.says(&mut stage, B, n, &[!(n as u8); 160])
        );
        assert_eq!(far_b.opens(&stage.take_sent(B).pop().unwrap().bytes), [n as u8; 160]);
        assert_eq!(far_a.opens(&stage.take_sent(A).pop().unwrap().bytes), [!(n as u8); 160]);
    }
}

#[test]
fn prompts_digits_and_reports_go_out_protected() {
    let (mut stage, mut far) = half_secure(Suite::AesCm128HmacSha1_80);
    assert!(far.says(&mut stage, B, 1, &[1; 160]));
    stage.play(B, 1, &prompt(100), false).run(500 * MS);
    stage.command(Command::SendDigit { leg: B, digit: Digit::from_char('7').unwrap(), duration_ms: 100 });
    stage.run(Duration::from_secs(10));
    let sent = stage.take_sent(B);
    let (events, sounds): (Vec<_>, Vec<_>) = sent.iter().partition(|sent| sent.packet.payload_type == 101);
    assert!(sounds.len() > 90 && events.len() > 5, "{} {}", sounds.len(), events.len());
    for sent in &sent {
        let payload = far.opens(&sent.bytes);
        assert_eq!(payload.len(), if sent.packet.payload_type == 101 { 4 } else { 160 });
        assert!(sent.packet.payload_type != 101 || payload[0] == 7);
    }
    let reports: Vec<_> = stage.reports.iter().filter(|(leg, ..)| *leg == B).collect();
    assert!(!reports.is_empty());
    for (_, _, report) in reports {
        let mut opened = report.clone();
        let len = far.receiver.unprotect_rtcp(&mut opened).expect("authentic");
        assert_eq!(media::rtp::rtcp::read(&opened[..len], 0).unwrap().ssrc, ours(B));
        assert!(media::rtp::rtcp::read(report, 0).is_err(), "in the clear nobody can read it");
    }
}

#[test]
fn reports_of_a_peer_count_only_if_they_are_authentic() {
    let (mut stage, mut far) = half_secure(Suite::AeadAes128Gcm);
    assert!(far.says(&mut stage, B, 1, &[1; 160]));
    let mut plain = vec![];
    media::rtp::rtcp::write(&mut plain, THEIRS, 1, None, None, false);
    let mut sealed = [&plain[..], &[0; GROWTH]].concat();
    let len = far.sender.protect_rtcp(&mut sealed, plain.len()).unwrap();
    let (now, from) = (stage.now, SocketAddr::new(peer(B).ip(), 4_001));
    stage.engine.handle_rtcp(now, B, from, &mut plain);
    assert_eq!(stage.engine.stats(B).unwrap().received_reports, 0);
    stage.engine.handle_rtcp(now, B, from, &mut sealed[..len].to_vec());
    assert_eq!(stage.engine.stats(B).unwrap().received_reports, 1);
    stage.engine.handle_rtcp(now, B, from, &mut sealed[..len].to_vec());
    stage.engine.handle_rtcp(now, B, from, &mut sealed[..20].to_vec());
    let counters = stage.engine.counters();
    assert_eq!((counters.srtp_unauthentic, counters.srtp_replayed, counters.rtcp_received), (1, 1, 1));
    assert_eq!((counters.rtcp_malformed, counters.malformed), (1, 0), "cut off behind its header");
}

#[test]
fn a_recording_of_a_protected_leg_is_of_what_was_said() {
    let (mut stage, mut far) = half_secure(Suite::AesCm128HmacSha1_80);
    stage.command(Command::Record { leg: B, title: title("b"), quiet: None });
    for n in 0..50 {
        far.says(&mut stage, B, n, &[0x2a; 160]);
        stage.run(FRAME);
    }
    let mut level = [0];
    media::Codec::Pcma.decode(&[0x2a], &mut level);
    let samples: Vec<i16> = stage.recorded.iter().flat_map(|piece| piece.samples.to_vec()).collect();
    assert!(samples.len() > 4_000 && samples[800..].iter().all(|sample| *sample == level[0]));
}

#[test]
fn nobody_without_the_key_draws_our_sound_to_himself_or_is_heard() {
    let (mut stage, mut far) = half_secure(Suite::AesCm128HmacSha1_80);
    let stranger = SocketAddr::from(([203, 0, 113, 9], 666));
    let mut forger = Peer::new(Suite::AesCm128HmacSha1_80, 99);
    for n in 0..10 {
        let forged = forger.packet(n, &[6; 160]);
        assert!(!stage.hear_bytes(B, stranger, &forged));
        assert!(!stage.hear_from(B, stranger, sound(6, n), &[6; 160]), "nor in the clear");
        assert!(!stage.hear_from(B, peer(B), sound(6, n), &[6; 160]), "nor from the right address");
    }
    stage.hear(A, sound(7, 1), &[1; 160]);
    assert_eq!(stage.take_sent(B).pop().unwrap().to, peer(B), "three packets in a row did not pin him");
    assert_eq!((stage.engine.counters().srtp_unauthentic, stage.engine.counters().received), (30, 1));
    assert!(far.says(&mut stage, B, 5, &[1; 160]));
    assert!(!stage.hear_bytes(B, stranger, &forger.packet(20, &[6; 160])));
    assert_eq!(stage.engine.counters().srtp_unauthentic, 30, "once pinned, strangers cost no HMAC");
    assert_eq!(stage.engine.stats(B).unwrap().rejected, 1);
}

#[test]
fn a_peer_behind_nat_is_pinned_by_his_first_packet_for_it_has_proved_itself() {
    let (mut stage, mut far) = half_secure(Suite::AesCm128HmacSha1_80);
    let nat = SocketAddr::from(([203, 0, 113, 5], 40_000));
    assert!(stage.hear_bytes(B, nat, &far.packet(1, &[1; 160])));
    stage.run(6_000 * MS);
    assert!(!stage.hear_bytes(B, peer(B), &far.packet(2, &[1; 160])), "pinned elsewhere, and settled");
    stage.hear(A, sound(7, 1), &[1; 160]);
    assert_eq!(stage.take_sent(B).pop().unwrap().to, nat);
}

#[test]
fn a_packet_played_again_is_not_heard_again() {
    let (mut stage, mut far) = half_secure(Suite::AeadAes128Gcm);
    let packet = far.packet(1, &[1; 160]);
    assert!(stage.hear_bytes(B, peer(B), &packet));
    assert!(!stage.hear_bytes(B, peer(B), &packet));
    let stats = stage.engine.stats(B).unwrap();
    assert_eq!((stats.replayed, stats.received_packets, stats.unauthentic), (1, 1, 0));
}

#[test]
fn a_peer_who_sends_on_through_a_long_hold_is_understood_afterwards() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut stage, mut far) = half_secure(suite);
    for n in 0..10 {
        assert!(far.says(&mut stage, B, n, &[1; 160]));
    }
    let hold = Stream { direction: Direction::Inactive, remote_holds: true, ..secure(B, suite, 2) };
    stage.connect(B, hold);
    // Half an hour of music that nobody asked for: its numbers wrap, and pass the half way of §3.3.1 twice.
    for n in 10..90_000 {
        assert!(!far.says(&mut stage, B, n, &[9; 20]));
    }
    stage.connect(B, secure(B, suite, 2));
    assert!(far.says(&mut stage, B, 90_000, &[2; 160]), "the same key: its rollover counter went on");
    assert_eq!(stage.engine.counters().srtp_unauthentic, 0);
    stage.hear(A, sound(7, 1), &[1; 160]);
    assert_eq!(far.opens(&stage.take_sent(B).pop().unwrap().bytes), [1; 160]);
}

#[test]
fn an_unchanged_key_keeps_the_counter_of_what_we_send_over_any_number_of_descriptions() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut stage, mut far) = half_secure(suite);
    for n in 0..70_000u32 {
        if n % 10_000 == 0 {
            stage.connect(B, secure(B, suite, 2));
        }
        stage.hear(A, sound(7, n), &[n as u8; 4]);
        let sent = stage.take_sent(B).pop().expect("passed on");
        assert_eq!(far.opens(&sent.bytes), [n as u8; 4], "{n}");
    }
}

#[test]
fn a_new_key_begins_with_nothing_and_the_old_one_opens_no_more() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut stage, mut old) = half_secure(suite);
    for n in 65_000..66_000 {
        assert!(old.says(&mut stage, B, n, &[1; 20]));
    }
    stage.connect(B, secure(B, suite, 3));
    let mut new = Peer::new(suite, 3);
    assert!(!old.says(&mut stage, B, 66_000, &[1; 20]));
    assert!(new.says(&mut stage, B, 66_001 - 65_536, &[2; 20]), "its rollover counter is 0 again");
    stage.connect(B, stream(B));
    assert!(stage.hear(B, sound(THEIRS, 466), &[3; 20]), "and in the clear if that is what is agreed");
}

#[test]
fn a_second_of_packets_that_nobody_can_open_is_told_once() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut stage, mut far) = half_secure(suite);
    let mut wrong = Peer::new(suite, 99);
    let told = |stage: &mut Stage| {
        stage.take_events().into_iter().filter(|event| *event == Event::Unauthentic { leg: B }).count()
    };
    for n in 0..49 {
        wrong.says(&mut stage, B, n, &[1; 20]);
    }
    assert!(far.says(&mut stage, B, 1, &[1; 20]), "one that opens begins the count anew");
    for n in 50..99 {
        wrong.says(&mut stage, B, n, &[1; 20]);
    }
    assert_eq!(told(&mut stage), 0);
    for n in 100..500 {
        wrong.says(&mut stage, B, n, &[1; 20]);
    }
    assert_eq!((told(&mut stage), stage.engine.stats(B).unwrap().unauthentic), (1, 498));
}

#[test]
fn what_cannot_be_opened_is_no_sign_of_life() {
    let (mut stage, _) = half_secure(Suite::AesCm128HmacSha1_80);
    stage.command(Command::Expect { leg: B, within: 1_000 * MS, on_hold: false });
    for n in 0..100 {
        stage.hear(B, sound(THEIRS, n), &[1; 160]);
        stage.run(FRAME);
    }
    assert!(stage.take_events().contains(&Event::Unheard { leg: B, on_hold: false }));
}

#[test]
fn a_leg_in_the_clear_may_be_bridged_with_a_protected_one_and_with_one_in_the_clear_again() {
    let suite = Suite::AeadAes128Gcm;
    let mut stage = Stage::bridged();
    stage.open(C).connect(C, secure(C, suite, 2));
    let mut far = Peer::new(suite, 2);
    for n in 0..6u32 {
        let partner = if n % 2 == 0 { B } else { C };
        stage.command(Command::Unbridge { leg: A }).command(Command::Bridge { a: A, b: partner });
        assert!(stage.hear(A, sound(7, n), &[5; 160]));
        let sent = stage.take_sent(partner).pop().expect("passed on");
        match partner {
            B => assert_eq!(sent.payload, [5; 160]),
            _ => assert_eq!(far.opens(&sent.bytes), [5; 160]),
        }
        match partner {
            B => assert!(stage.hear(B, sound(8, n), &[6; 160])),
            _ => assert!(far.says(&mut stage, C, n, &[6; 160])),
        }
        assert_eq!(stage.take_sent(A).pop().expect("passed on").payload, [6; 160]);
    }
}
