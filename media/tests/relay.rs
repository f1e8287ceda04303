//! Packets from leg to leg: what the receiver sees must be one stream without a seam.

mod common;

use std::net::SocketAddr;

use common::*;
use media::rtp::Fields;
use media::{Codec, Command, Digit, Direction, Engine, Event, PlayFrom, Settings, Stream};

const CUSTOMER: u32 = 0xaaaa;
const AGENT: u32 = 0xbbbb;

/// Steps between neighbours: sequence and timestamp.
fn steps(sent: &[Sent]) -> Vec<(u16, u32)> {
    let step = |pair: &[Sent]| {
        let (before, after) = (&pair[0].packet, &pair[1].packet);
        (after.sequence.wrapping_sub(before.sequence), after.timestamp.wrapping_sub(before.timestamp))
    };
    sent.windows(2).map(step).collect()
}

#[test]
fn a_packet_leaves_by_the_other_leg_under_our_own_source() {
    let mut stage = Stage::bridged();
    assert!(stage.hear(A, sound(CUSTOMER, 1), b"hello"));
    let sent = &stage.take_sent(B)[0];
    assert_eq!((sent.to, sent.packet.ssrc, sent.packet.payload_type), (peer(B), ours(B), 8));
    assert_eq!((sent.packet.sequence, sent.packet.timestamp), (65_511, u32::MAX - 500), "as Open said");
    assert_eq!(sent.payload, b"hello");
}

#[test]
fn where_a_leg_lay_nobody_else_is_taken_for_it() {
    let mut stage = Stage::bridged();
    let at_a = stage.engine.mark(A, 7).unwrap();
    stage.engine.mark(B, 8).unwrap();
    let mut packet = [0xd5; 172 + 64];
    sound(CUSTOMER, 1).write(packet.first_chunk_mut().unwrap());
    let hear = |stage: &mut Stage| {
        let forward = stage.engine.handle_packet_at(stage.now, at_a, peer(A), &mut packet.clone(), 172);
        forward.map(|forward| (forward.leg, forward.mark))
    };
    assert_eq!(hear(&mut stage), Some((B, 8)), "with what was said of the leg that sends it");
    stage.command(Command::Close { leg: A });
    stage.open(C).connect(C, stream(C)).command(Command::Bridge { a: C, b: B });
    assert_eq!(stage.engine.mark(C, 0).unwrap().leg(), C);
    assert_eq!((hear(&mut stage), stage.engine.counters().stale), (None, 1));
}

#[test]
fn prompt_music_and_agent_are_one_stream_for_the_caller() {
    let mut stage = Stage::bridged();
    stage.command(Command::Unbridge { leg: A });
    stage.play(A, 1, &prompt(10), false).run(10 * FRAME);
    assert_eq!(stage.take_events(), [Event::Played { leg: A, play: 1 }]);
    stage.play(A, 2, &prompt(50), true).run(13 * FRAME + 7 * MS);
    stage.command(Command::Bridge { a: A, b: B });
    for n in 0..10 {
        stage.hear(B, sound(AGENT, 9_000 + n), &[n as u8; 160]);
        stage.run(FRAME);
    }
    let sent = stage.take_sent(A);
    assert_eq!(sent.len(), 10 + 14 + 10);
    assert!(sent.iter().all(|sent| sent.packet.ssrc == ours(A)));
    assert_eq!(steps(&sent), vec![(1, 160); 33]);
    let marked: Vec<_> = (0..sent.len()).filter(|n| sent[*n].packet.marker).collect();
    assert_eq!(marked, [0, 10, 24], "a marker at each switch");
}

#[test]
fn a_pause_between_two_speakers_is_a_pause_in_the_timestamps_but_no_loss() {
    let mut stage = Stage::bridged();
    stage.hear(B, sound(AGENT, 1), b"x");
    stage.command(Command::Unbridge { leg: A }).run(500 * MS);
    stage.play(A, 1, &prompt(2), false);
    assert_eq!(steps(&stage.take_sent(A)), [(1, 4_000)]);
}

#[test]
fn loss_of_the_source_stays_visible_and_disorder_is_kept() {
    let mut stage = Stage::bridged();
    for n in [10, 11, 14, 13, 15] {
        assert!(stage.hear(A, sound(CUSTOMER, n), b"x"));
    }
    let sent = stage.take_sent(B);
    assert_eq!(steps(&sent), [(1, 160), (3, 480), (u16::MAX, 160u32.wrapping_neg()), (2, 320)]);
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.received_packets, stats.lost, stats.reordered), (5, 1, 1));
}

#[test]
fn a_duplicate_is_dropped() {
    let mut stage = Stage::bridged();
    let passed = [10, 11, 11, 12, 10].map(|n| stage.hear(A, sound(CUSTOMER, n), b"x"));
    assert_eq!(passed, [true, true, false, true, false]);
    assert_eq!(stage.engine.stats(A).unwrap().duplicates, 2);
}

#[test]
fn numbers_wrap_without_a_seam() {
    let mut stage = Stage::bridged();
    for n in 65_500..65_600u32 {
        assert!(stage.hear(
            A,
            Fields { timestamp: (n * 160).wrapping_sub(10_490_000), ..sound(CUSTOMER, n) },
            b"x"
        ));
    }
    assert_eq!(steps(&stage.take_sent(B)), vec![(1, 160); 99]);
}

#[test]
fn a_new_source_at_the_same_address_goes_on_where_the_old_one_ended() {
    let mut stage = Stage::bridged();
    for n in 0..3 {
        stage.hear(A, sound(CUSTOMER, 500 + n), b"x");
        stage.run(FRAME);
    }
    for n in 0..3 {
        stage.hear(A, sound(AGENT, 40_000 + n), b"y");
        stage.run(FRAME);
    }
    let sent = stage.take_sent(B);
    assert_eq!(steps(&sent), vec![(1, 160); 5]);
    assert_eq!(
        sent.iter().map(|sent| sent.packet.marker).collect::<Vec<_>>(),
        [true, false, false, true, false, false]
    );
}

#[test]
fn two_sources_that_speak_in_turns_share_the_line_and_keep_time() {
    let mut stage = Stage::bridged();
    for n in 0..50 {
        assert!(stage.hear(A, sound(CUSTOMER, 100 + n), b"x"));
        stage.run(10 * MS);
        assert!(stage.hear(A, Fields { timestamp: 77, ..sound(AGENT, 900 + n) }, b"y"));
        stage.run(10 * MS);
    }
    let sent = stage.take_sent(B);
    assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1));
    assert_eq!(sent[98].packet.timestamp.wrapping_sub(sent[0].packet.timestamp), 49 * 160, "no drift");
    assert_eq!(sent.iter().filter(|sent| sent.packet.marker).count(), 2, "one for each source");
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.lost, stats.late, stats.reordered), (0, 0, 0));
}

#[test]
fn what_the_peer_sends_while_we_hold_it_is_not_lost() {
    let mut stage = Stage::bridged();
    let mut numbers = 0..;
    let mut hear = |stage: &mut Stage, count: usize| {
        numbers.by_ref().take(count).for_each(|n| assert!(stage.hear(A, sound(CUSTOMER, n), b"x") || n > 9));
    };
    hear(&mut stage, 10);
    stage.connect(A, Stream { direction: Direction::SendOnly, ..stream(A) });
    hear(&mut stage, 500);
    stage.connect(A, stream(A));
    hear(&mut stage, 10);
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.received_packets, stats.lost), (20, 0));
    assert!(steps(&stage.take_sent(B)).iter().all(|(sequence, _)| *sequence == 1));
}

#[test]
fn a_source_that_starts_its_numbers_afresh_costs_one_packet_and_leaves_no_gap() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 20_000), b"x");
    stage.run(FRAME);
    let passed = [1, 2, 3].map(|n| {
        let passed = stage.hear(A, sound(CUSTOMER, n), b"x");
        stage.run(FRAME);
        passed
    });
    assert_eq!(passed, [false, true, true]);
    assert_eq!(steps(&stage.take_sent(B)), [(1, 320), (1, 160)], "one packet's time is missing, no number");
}

#[test]
fn a_packet_older_than_the_switch_is_not_squeezed_in_before_it() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 10), b"x");
    stage.command(Command::Bridge { a: A, b: B });
    stage.hear(A, sound(CUSTOMER, 12), b"x");
    assert!(!stage.hear(A, sound(CUSTOMER, 11), b"x"), "it belongs to the time before the bridge");
    assert_eq!(steps(&stage.take_sent(B)), [(1, 160)]);
}

#[test]
fn payload_numbers_are_each_legs_own() {
    let mut stage = Stage::bridged();
    stage.connect(A, Stream { receive_payload_type: 96, receive_event: Some(97), ..stream(A) });
    stage.connect(B, Stream { send_payload_type: 108, send_event: Some(109), ..stream(B) });
    stage.hear(A, Fields { payload_type: 96, ..sound(CUSTOMER, 1) }, b"x");
    stage.hear(A, Fields { payload_type: 97, ..sound(CUSTOMER, 2) }, &[5, 10, 0, 160]);
    let types: Vec<_> = stage.take_sent(B).iter().map(|sent| sent.packet.payload_type).collect();
    assert_eq!(types, [108, 109]);
}

#[test]
fn a_payload_number_nobody_agreed_on_goes_nowhere() {
    let mut stage = Stage::bridged();
    assert!(!stage.hear(A, Fields { payload_type: 18, ..sound(CUSTOMER, 1) }, b"x"));
    assert_eq!(stage.engine.counters().unknown_payload, 1);
    assert_eq!(stage.take_events(), [], "and is no sign of life");
}

#[test]
fn a_law_becomes_mu_law_and_back_by_the_table() {
    let mut stage = Stage::bridged();
    let mu = Stream { codec: Codec::Pcmu, send_payload_type: 0, receive_payload_type: 0, ..stream(B) };
    stage.connect(B, mu);
    stage.hear(A, sound(CUSTOMER, 1), &[0xd5, 0x2a]);
    stage.hear(B, Fields { payload_type: 0, ..sound(AGENT, 1) }, &[0xff, 0x00]);
    let mut expected = ([0xd5, 0x2a], [0xff, 0x00]);
    Codec::Pcma.convert(Codec::Pcmu, &mut expected.0);
    Codec::Pcmu.convert(Codec::Pcma, &mut expected.1);
    let (to_b, to_a) = (&stage.take_sent(B)[0], &stage.take_sent(A)[0]);
    assert_eq!((to_b.packet.payload_type, to_b.payload.as_slice()), (0, &expected.0[..]));
    assert_eq!((to_a.packet.payload_type, to_a.payload.as_slice()), (8, &expected.1[..]));
    assert_eq!(stage.engine.counters().transcoded, 2);
}

#[test]
fn a_peer_that_sends_the_other_g711_than_agreed_is_understood() {
    let mut stage = Stage::bridged();
    stage.hear(A, Fields { payload_type: 0, ..sound(CUSTOMER, 1) }, &[0xff]);
    assert_eq!(stage.take_sent(B)[0].payload, [0xd5]);
}

#[test]
fn comfort_noise_is_a_sign_of_life_but_leaves_no_gap() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    assert!(!stage.hear(A, Fields { payload_type: 13, ..sound(CUSTOMER, 2) }, &[60]));
    stage.hear(A, sound(CUSTOMER, 3), b"x");
    assert_eq!(steps(&stage.take_sent(B)), [(1, 320)]);
}

#[test]
fn contributing_sources_extension_and_padding_stay_behind() {
    let mut stage = Stage::bridged();
    let mut bytes = vec![0xb1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend([9; 4]); // a contributing source
    bytes.extend([0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]); // an extension only this leg agreed on
    bytes.extend(b"sound\0\0\x03");
    assert!(stage.hear_bytes(A, peer(A), &bytes));
    let sent = &stage.take_sent(B)[0];
    assert_eq!((sent.packet.start, sent.payload.as_slice()), (12, &b"sound"[..]));
}

#[test]
fn strangers_are_neither_heard_nor_answered() {
    let mut stage = Stage::bridged();
    let stranger = SocketAddr::from(([203, 0, 113, 9], 999));
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    assert!(!stage.hear_from(A, stranger, sound(CUSTOMER, 2), b"evil"));
    stage.hear(B, sound(AGENT, 1), b"y");
    assert_eq!(stage.take_sent(A)[0].to, peer(A));
    assert_eq!((stage.engine.stats(A).unwrap().rejected, stage.engine.counters().rejected), (1, 1));
}

#[test]
fn a_peer_behind_nat_gets_our_sound_where_its_own_comes_from() {
    let mut stage = Stage::bridged();
    let nat = SocketAddr::from(([198, 51, 100, 7], 31_000));
    assert!(stage.hear_from(A, nat, sound(CUSTOMER, 1), b"x"));
    stage.hear(B, sound(AGENT, 1), b"y");
    assert_eq!(stage.take_sent(A)[0].to, nat);
}

#[test]
fn nothing_is_sent_to_a_peer_on_hold_and_its_stream_goes_on_afterwards() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    stage.run(FRAME).connect(B, Stream { direction: Direction::RecvOnly, remote_holds: true, ..stream(B) });
    for n in 2..52 {
        assert!(!stage.hear(A, sound(CUSTOMER, n), b"x"));
        stage.run(FRAME);
    }
    stage.connect(B, stream(B));
    stage.hear(A, sound(CUSTOMER, 52), b"x");
    assert_eq!(steps(&stage.take_sent(B)), [(1, 51 * 160)]);
    assert_eq!(stage.engine.counters().held_back, 50);
}

#[test]
fn a_peer_we_hold_is_not_heard() {
    let mut stage = Stage::bridged();
    stage.connect(A, Stream { direction: Direction::SendOnly, ..stream(A) });
    assert!(!stage.hear(A, sound(CUSTOMER, 1), b"x"));
    assert_eq!(stage.engine.counters().unexpected, 1);
}

#[test]
fn a_reinvite_that_changes_nothing_leaves_no_mark_in_the_stream() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    stage.connect(B, stream(B)).connect(A, stream(A));
    stage.hear(A, sound(CUSTOMER, 2), b"x");
    let sent = stage.take_sent(B);
    assert_eq!((steps(&sent), sent[1].packet.marker), (vec![(1, 160)], false));
}

#[test]
fn first_sound_and_two_way_sound_are_told_once() {
    let mut stage = Stage::bridged();
    let (at, leg) = (stage.now, A);
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    assert_eq!(
        stage.take_events(),
        [
            Event::Heard { leg, at, bridged: false },
            Event::Heard { leg, at, bridged: true },
            Event::RtcpWanted { leg }
        ]
    );
    stage.run(3 * MS).hear(B, sound(AGENT, 1), b"y");
    let at = stage.now;
    assert!(stage.take_events().contains(&Event::TwoWay { a: A, b: B, at }));
    stage.hear(A, sound(CUSTOMER, 2), b"x");
    stage.hear(B, sound(AGENT, 2), b"y");
    assert_eq!(stage.take_events(), []);
}

#[test]
fn bridging_to_a_third_leg_frees_the_second() {
    let mut stage = Stage::bridged();
    stage.open(C).connect(C, stream(C)).command(Command::Bridge { a: A, b: C });
    assert!(stage.hear(A, sound(CUSTOMER, 1), b"x"));
    assert!(!stage.hear(B, sound(AGENT, 1), b"y"));
    assert_eq!(stage.take_sent(C).len(), 1);
    assert_eq!(stage.engine.counters().bridges, 1);
}

#[test]
fn closing_a_leg_unbridges_it_and_tells_its_numbers() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 1), &[0; 160]);
    stage.take_events();
    stage.command(Command::Close { leg: A });
    let [Event::Closed { leg: A, stats }] = &stage.take_events()[..] else { panic!("one Closed") };
    assert_eq!((stats.received_packets, stats.received_octets, stats.codec), (1, 160, Some(Codec::Pcma)));
    assert!(!stage.hear(B, sound(AGENT, 1), b"y"));
    let counters = *stage.engine.counters();
    assert_eq!((counters.legs, counters.bridges, counters.stale), (1, 0, 0));
    stage.command(Command::Close { leg: B }).command(Command::Close { leg: B });
    let counters = *stage.engine.counters();
    assert_eq!((counters.legs, counters.stale), (0, 1));
}

#[test]
fn a_leg_beyond_the_limit_is_closed_at_once() {
    let mut stage = Stage::new();
    let settings = Settings { max_legs: 1, ..Settings::new(stage.start, UNIX_ORIGIN, 7) };
    stage.engine = Engine::new(settings);
    stage.open(A).open(B).open(A);
    assert_eq!(stage.take_events(), vec![Event::Closed { leg: B, stats: Box::default() }; 1]);
    assert_eq!((stage.engine.counters().legs, stage.engine.counters().stale), (1, 2));
}

#[test]
fn other_protocols_on_the_port_are_counted_apart_and_ignored() {
    let mut stage = Stage::bridged();
    for first in [0, 22, 70, 0x80] {
        let datagram = [first, 1, 0, 0, 0, 0, 0, 0];
        assert!(!stage.hear_bytes(A, peer(A), &datagram));
    }
    stage.hear_bytes(A, peer(A), &[]);
    let counters = stage.engine.counters();
    assert_eq!((counters.stun, counters.dtls, counters.noise, counters.malformed), (1, 1, 2, 1));
    assert_eq!(stage.take_events(), []);
}

#[test]
fn the_first_frame_leaves_with_the_command_and_the_others_every_20_ms_without_drift() {
    let mut stage = Stage::new();
    stage.run(123 * MS + MS / 2).open(A).play(A, 1, &prompt(100), false);
    assert!(stage.take_sent(A).is_empty(), "not connected yet");
    stage.connect(A, stream(A));
    let begun = stage.now;
    stage.run(3_000 * MS);
    let sent = stage.take_sent(A);
    assert_eq!(sent.len(), 100);
    assert_eq!(sent[0].at, begun);
    for (n, sent) in sent.iter().enumerate().skip(1) {
        let late = sent.at + MS - (begun + n as u32 * FRAME);
        assert!(late <= MS, "packet {n} is more than 1 ms off");
        assert_eq!(sent.payload, vec![frame_byte(n as u8); 160]);
    }
    assert_eq!(steps(&sent), vec![(1, 160); 99]);
    assert_eq!(stage.take_events(), [Event::Played { leg: A, play: 1 }]);
    assert_eq!(
        (stage.engine.counters().playing, stage.timeout.is_some()),
        (0, true),
        "only silence is awaited"
    );
}

#[test]
fn bridging_and_stopping_cut_at_once_and_say_nothing() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).open(B).connect(B, stream(B));
    stage.play(A, 1, &prompt(9), false).play(B, 2, &prompt(9), false).run(5 * MS);
    stage.command(Command::Bridge { a: A, b: B }).run(500 * MS);
    assert_eq!((stage.take_sent(A).len(), stage.take_sent(B).len()), (1, 1));
    stage.play(A, 3, &prompt(9), false).command(Command::Stop { leg: A }).run(500 * MS);
    assert_eq!(stage.take_sent(A).len(), 1);
    assert_eq!((stage.take_events(), stage.engine.counters().playing), (vec![], 0));
}

#[test]
fn all_callers_hear_the_same_place_of_the_music() {
    let mut stage = Stage::new();
    let music = prompt(30);
    stage.open(A).connect(A, stream(A)).open(B).connect(B, stream(B));
    for (leg, pause) in [(A, 107), (B, 233)] {
        stage.run(pause * MS);
        let (prompt, from) = (music.clone().into(), PlayFrom::Shared);
        stage.command(Command::Play { leg, play: 1, prompt, repeat: true, from });
    }
    stage.run(1_000 * MS);
    for leg in [A, B] {
        for sent in stage.take_sent(leg) {
            let place = (sent.at - stage.start).as_millis() / 20 % 30;
            assert_eq!(sent.payload[0], frame_byte(place as u8));
        }
    }
}

#[test]
fn a_prompt_on_a_bridged_leg_hides_the_partner_until_it_ends() {
    let mut stage = Stage::bridged();
    stage.play(A, 1, &prompt(2), false);
    assert!(!stage.hear(B, sound(AGENT, 1), b"y"));
    stage.run(2 * FRAME);
    assert!(stage.hear(B, sound(AGENT, 3), b"y"));
    assert_eq!(steps(&stage.take_sent(A)), [(1, 160), (1, 160)]);
}

#[test]
fn a_prompt_goes_on_unheard_while_the_peer_holds_us() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &prompt(20), false).run(5 * FRAME - MS);
    stage
        .connect(A, Stream { direction: Direction::Inactive, remote_holds: true, ..stream(A) })
        .run(5 * FRAME);
    stage.connect(A, stream(A)).run(20 * FRAME);
    let sent = stage.take_sent(A);
    assert_eq!(sent.len(), 15);
    assert_eq!(steps(&sent)[4], (1, 6 * 160));
    assert_eq!(sent[5].payload[0], frame_byte(10));
    assert_eq!(stage.take_events(), [Event::Played { leg: A, play: 1 }]);
}

#[test]
fn silence_of_sixty_seconds_is_told_once_and_again_after_a_word() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).run(59_999 * MS);
    assert_eq!(stage.take_events(), []);
    stage.run(MS);
    assert_eq!(stage.take_events(), [Event::Silent { leg: A, since: stage.start }]);
    stage.run(600_000 * MS);
    assert_eq!(stage.take_events(), []);
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    let since = stage.now;
    stage.take_events();
    stage.run(60_000 * MS);
    assert_eq!(stage.take_events(), [Event::Silent { leg: A, since }]);
}

/// The agent's leg has just been answered and something ought to be heard within three seconds.
fn expecting(stream: Stream) -> Stage {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream).command(Command::Expect { leg: A, within: 3_000 * MS, on_hold: false });
    stage
}

#[test]
fn a_peer_of_whom_nothing_is_heard_in_time_is_told_once() {
    let mut stage = expecting(stream(A));
    stage.run(2_999 * MS);
    assert_eq!(stage.take_events(), []);
    stage.run(MS);
    assert_eq!(stage.take_events(), [Event::Unheard { leg: A, on_hold: false }]);
    stage.run(30_000 * MS);
    assert_eq!((stage.take_events(), stage.engine.counters().unheard), (vec![], 1));
}

#[test]
fn one_packet_of_sound_or_comfort_noise_or_a_digit_is_enough() {
    for payload_type in [8, 13, 101] {
        let mut stage = expecting(stream(A));
        stage.run(2_990 * MS);
        stage.hear(A, Fields { payload_type, ..sound(CUSTOMER, 1) }, &[1, 10, 0, 160]);
        stage.take_events();
        stage.run(20_000 * MS);
        let unheard = |event: &Event| matches!(event, Event::Unheard { .. });
        assert!(!stage.take_events().iter().any(unheard), "payload type {payload_type}");
    }
}

/// Before the answer a network plays ringback: that is not the agent. But his first sound may be faster than his answer.
#[test]
fn what_came_long_before_the_answer_is_not_heard_and_what_came_just_before_is() {
    for (before, told) in [(1_000, 1), (999, 0)] {
        let mut stage = Stage::new();
        stage.open(A);
        assert!(!stage.hear(A, sound(CUSTOMER, 1), b"x"));
        stage.run(before * MS).connect(A, stream(A)).command(Command::Expect {
            leg: A,
            within: 3_000 * MS,
            on_hold: false,
        });
        stage.run(10_000 * MS);
        assert_eq!(stage.take_events(), vec![Event::Unheard { leg: A, on_hold: false }; told], "{before} ms");
    }
}

#[test]
fn who_holds_us_owes_no_sound_and_who_agrees_anew_has_the_time_anew() {
    let held = Stream { direction: Direction::RecvOnly, remote_holds: true, ..stream(A) };
    let inactive = Stream { direction: Direction::Inactive, remote_holds: true, ..stream(A) };
    for stream in [held.clone(), inactive, Stream { direction: Direction::SendOnly, ..stream(A) }] {
        assert_eq!(expecting(stream).run(30_000 * MS).take_events(), []);
    }
    let mut stage = expecting(held);
    stage.run(2_000 * MS).connect(A, stream(A)).run(2_999 * MS);
    assert_eq!(stage.take_events(), []);
    assert_eq!(stage.run(MS).take_events(), [Event::Unheard { leg: A, on_hold: false }]);
}

#[test]
fn who_holds_us_and_said_that_he_sends_is_told_if_he_does_not_and_until_he_takes_us_back() {
    let held = || Stream { direction: Direction::RecvOnly, remote_holds: true, ..stream(A) };
    let on_hold = Command::Expect { leg: A, within: 2_000 * MS, on_hold: true };
    let spoken = |then: &dyn Fn(&mut Stage)| {
        let mut stage = Stage::new();
        stage.open(A).connect(A, stream(A));
        stage.hear(A, sound(CUSTOMER, 1), b"x");
        stage.run(MS).connect(A, held()).command(on_hold.clone());
        then(&mut stage);
        stage.run(10_000 * MS);
        stage
            .take_events()
            .iter()
            .filter(|event| matches!(event, Event::Unheard { on_hold: true, .. }))
            .count()
    };
    assert_eq!(spoken(&|_| {}), 1, "what he said before the hold is no music");
    assert_eq!(
        spoken(&|stage| _ = stage.run(200 * MS).hear(A, sound(CUSTOMER, 2), b"x")),
        1,
        "nor what was on its way"
    );
    assert_eq!(spoken(&|stage| _ = stage.run(1_200 * MS).hear(A, sound(CUSTOMER, 2), b"x")), 0);
    assert_eq!(spoken(&|stage| _ = stage.run(1_999 * MS).connect(A, stream(A))), 0);
    let inactive = || Stream { direction: Direction::Inactive, ..held() };
    assert_eq!(spoken(&|stage| _ = stage.run(MS).connect(A, inactive())), 0);
}

#[test]
fn packets_put_silence_off() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    for n in 0..200 {
        stage.hear(A, sound(CUSTOMER, n), b"x");
        stage.run(1_000 * MS);
    }
    assert!(!stage.take_events().iter().any(|event| matches!(event, Event::Silent { .. })));
}

#[test]
fn silence_is_never_told_on_hold_and_counts_anew_afterwards() {
    let mut stage = Stage::new();
    let holds = [
        Stream { direction: Direction::RecvOnly, remote_holds: true, ..stream(A) },
        Stream { direction: Direction::SendOnly, ..stream(A) },
        Stream { direction: Direction::Inactive, ..stream(A) },
    ];
    stage.open(A).connect(A, stream(A)).run(30_000 * MS);
    for hold in holds {
        stage.connect(A, hold).run(300_000 * MS);
        stage.connect(A, stream(A)).run(59_000 * MS);
    }
    assert_eq!(stage.take_events(), []);
    stage.run(1_000 * MS);
    assert!(matches!(stage.take_events()[..], [Event::Silent { .. }]));
}

#[test]
fn a_beat_that_comes_late_is_caught_up_and_a_long_absence_leaves_a_hole() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &prompt(100), false);
    stage.now += 45 * MS;
    stage.run(MS);
    assert_eq!(stage.take_sent(A).len(), 3);
    stage.now += 1_000 * MS;
    stage.run(MS);
    let sent = stage.take_sent(A);
    assert_eq!((sent.len(), sent[0].payload[0]), (1, frame_byte(52)));
}

#[test]
fn legs_can_be_opened_again_and_again_without_leaving_anything() {
    let mut stage = Stage::new();
    for n in 0..1_000u64 {
        let leg = media::MediaLegKey(n << 32 | 0xa);
        stage.command(Command::Open { leg, ssrc: 1, sequence: 1, timestamp: 1, cname: 1 });
        stage.connect(leg, stream(A)).play(leg, 1, &prompt(5), true).run(3 * MS);
        stage.command(Command::Close { leg });
    }
    let counters = *stage.engine.counters();
    assert_eq!((counters.legs, counters.playing, counters.stale), (0, 0, 0));
}

#[test]
fn a_switch_after_disorder_goes_on_above_the_highest_number_and_the_newest_time() {
    let mut stage = Stage::bridged();
    for n in [10, 12, 11] {
        stage.hear(A, sound(CUSTOMER, n), b"x");
    }
    stage.command(Command::Unbridge { leg: A }).play(B, 1, &prompt(1), false);
    let sent = stage.take_sent(B);
    assert_eq!(steps(&[sent[1].clone(), sent[3].clone()]), [(1, 160)]);
}

#[test]
fn noise_that_comes_late_moves_no_numbers() {
    let mut stage = Stage::bridged();
    let noise = |n| Fields { payload_type: 13, ..sound(CUSTOMER, n) };
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    stage.hear(A, sound(CUSTOMER, 3), b"x");
    stage.hear(A, noise(2), &[60]);
    stage.hear(A, sound(CUSTOMER, 4), b"x");
    stage.hear(A, noise(6), &[60]);
    assert!(!stage.hear(A, sound(CUSTOMER, 5), b"x"), "its number was given to the noise's successor");
    stage.hear(A, sound(CUSTOMER, 7), b"x");
    assert_eq!(steps(&stage.take_sent(B)), [(2, 320), (1, 160), (2, 480)]);
}

#[test]
fn a_source_of_another_bridge_lends_its_clock_to_nobody() {
    let mut stage = Stage::bridged();
    stage.hear(A, sound(CUSTOMER, 1), b"x");
    stage.hear(A, sound(AGENT, 1), b"x");
    stage.open(C).connect(C, stream(C)).command(Command::Bridge { a: C, b: B });
    let far_off = |n| Fields { timestamp: 1 << 30, ..sound(CUSTOMER, n) };
    stage.hear(C, Fields { timestamp: 5, ..sound(AGENT, 1) }, b"z"); // run 1 of C
    stage.hear(C, far_off(1), b"z"); // run 2 of C
    let sent = stage.take_sent(B);
    assert_eq!(steps(&sent), vec![(1, 160); 3]);
}

fn hear_all(stage: &mut Stage, numbers: &[u32]) {
    for n in numbers {
        stage.hear(A, sound(CUSTOMER, *n), b"x");
    }
}

#[test]
fn loss_is_remembered_over_hold_a_new_source_and_a_restart() {
    let mut stage = Stage::bridged();
    let lost = |stage: &Stage| stage.engine.stats(A).unwrap().lost;
    hear_all(&mut stage, &[1, 3]);
    stage.connect(A, Stream { direction: Direction::Inactive, ..stream(A) }).connect(A, stream(A));
    assert_eq!(lost(&stage), 1);
    hear_all(&mut stage, &[1, 4]);
    hear_all(&mut stage, &[20_000, 20_001]);
    assert_eq!(lost(&stage), 3);
    stage.hear(A, sound(CUSTOMER, 20_003), b"x");
    (0..3).for_each(|source| assert!(stage.hear(A, sound(AGENT + source, 1), b"x")));
    assert_eq!(lost(&stage), 4);
}

#[test]
fn a_source_that_starts_its_clock_afresh_is_no_jitter() {
    let mut stage = Stage::bridged();
    for n in [1, 2, 3, 30_000, 30_001, 30_002] {
        stage.hear(A, sound(CUSTOMER, n), b"x");
        stage.run(FRAME);
    }
    assert_eq!(stage.engine.stats(A).unwrap().jitter_us, 0);
}

#[test]
fn a_reinvite_in_the_middle_of_a_silence_does_not_begin_it_anew() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).run(30_000 * MS).connect(A, stream(A)).run(30_000 * MS);
    assert_eq!(stage.take_events(), [Event::Silent { leg: A, since: stage.start }]);
}

#[test]
fn a_peer_that_takes_its_address_back_gets_nothing() {
    let mut stage = Stage::bridged();
    stage.hear(B, sound(AGENT, 1), b"y");
    stage.connect(B, Stream { remote: None, remote_holds: true, ..stream(B) });
    assert!(!stage.hear(A, sound(CUSTOMER, 1), b"x"));
}

#[test]
fn a_leg_closed_in_the_middle_of_a_digit_leaves_no_beat_behind() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    stage.command(Command::SendDigit { leg: A, digit: Digit::from_char('1').unwrap(), duration_ms: 100 });
    assert!(stage.timeout.unwrap() <= stage.now + FRAME);
    stage.command(Command::Close { leg: A });
    assert!(stage.timeout.is_none_or(|at| at > stage.now + FRAME), "nobody beats");
}

#[test]
fn a_leg_that_joins_a_ring_that_lags_behind_is_not_served_twice() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).open(B).connect(B, stream(B));
    stage.play(A, 1, &prompt(9), true);
    stage.now += 13 * MS; // the ring has not been turned since
    stage.play(B, 1, &prompt(9), true).run(15 * MS);
    assert_eq!(stage.take_sent(B).len(), 1);
}
