//! RFC 4733: digits heard once, passed on, and made.

mod common;

use common::*;
use media::dtmf::{Beat, Part, Receiver, Sender, tones};
use media::rtp::Fields;
use media::sdp::Tones;
use media::{Codec, Command, Digit, Event, Stream, tone};

const SOURCE: u32 = 0xd1d1;

/// The packets of one key as a phone sends them: begin, grow, end three times. `lost` says which are lost.
fn press(stage: &mut Stage, first: u32, event: u8, lost: impl Fn(u32) -> bool) {
    for n in 0..6u32 {
        if !lost(n) {
            let end = n >= 3;
            let duration = ((n.min(3) + 1) * 160) as u16;
            event_packet(stage, first + n, first * 160, event, end, duration);
        }
        stage.run(FRAME);
    }
}

fn event_packet(
    stage: &mut Stage,
    sequence: u32,
    timestamp: u32,
    event: u8,
    end: bool,
    duration: u16,
) -> bool {
    let [high, low] = duration.to_be_bytes();
    let fields = Fields { payload_type: 101, timestamp, ..sound(SOURCE, sequence) };
    stage.hear(A, fields, &[event, u8::from(end) << 7 | 10, high, low])
}

fn digits(stage: &mut Stage) -> Vec<(char, u32)> {
    let told = |event| match event {
        Event::Digit { leg: A, digit, duration_ms } => Some((digit.as_char(), duration_ms)),
        _ => None,
    };
    stage.take_events().into_iter().filter_map(told).collect()
}

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

#[test]
fn a_key_is_told_once_however_often_its_end_is_repeated() {
    let mut stage = Stage::bridged();
    press(&mut stage, 100, 5, |_| false);
    press(&mut stage, 110, 5, |_| false);
    press(&mut stage, 120, 11, |_| false);
    assert_eq!(digits(&mut stage), [('5', 80), ('5', 80), ('#', 80)]);
}

#[test]
fn a_key_is_told_from_any_one_of_its_packets() {
    for kept in 0..6 {
        let mut stage = Stage::bridged();
        press(&mut stage, 100, 7, |n| n != kept);
        stage.run(200 * MS);
        let expected = (kept.min(3) + 1) * 20;
        assert_eq!(digits(&mut stage), [('7', expected)], "only packet {kept} arrived");
    }
}

#[test]
fn a_lost_end_is_found_by_the_clock_150_ms_later() {
    let mut stage = Stage::bridged();
    press(&mut stage, 100, 1, |n| n > 1);
    stage.run(149 * MS - 5 * FRAME);
    assert_eq!(digits(&mut stage), []);
    stage.run(MS);
    assert_eq!(digits(&mut stage), [('1', 40)]);
    event_packet(&mut stage, 105, 100 * 160, 1, true, 640);
    assert_eq!(digits(&mut stage), [], "an end that comes after all is no second key");
}

#[test]
fn a_lost_end_is_found_by_the_next_key() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 1, 1_000, 1, false, 160);
    stage.run(FRAME);
    event_packet(&mut stage, 8, 2_000, 2, true, 320);
    assert_eq!(digits(&mut stage), [('1', 20), ('2', 40)]);
}

#[test]
fn an_old_packet_that_was_overtaken_is_no_new_key() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 10, 5_000, 3, true, 320);
    stage.run(FRAME);
    event_packet(&mut stage, 8, 4_000, 2, false, 160);
    stage.run(500 * MS);
    assert_eq!(digits(&mut stage), [('3', 40)]);
}

#[test]
fn packets_of_one_key_out_of_order_do_not_shorten_it() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 1, 1_000, 6, false, 160);
    event_packet(&mut stage, 3, 1_000, 6, false, 480);
    event_packet(&mut stage, 2, 1_000, 6, false, 320);
    stage.run(150 * MS);
    assert_eq!(digits(&mut stage), [('6', 60)]);
}

#[test]
fn a_key_held_for_ten_seconds_is_one_key_in_two_segments() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 1, 1_000, 4, false, 160);
    event_packet(&mut stage, 2, 1_000, 4, false, u16::MAX);
    event_packet(&mut stage, 3, 1_000 + u32::from(u16::MAX), 4, false, 160);
    event_packet(&mut stage, 4, 1_000 + u32::from(u16::MAX), 4, true, 14_465);
    assert_eq!(digits(&mut stage), [('4', 10_000)]);
}

#[test]
fn a_new_source_may_use_the_timestamps_of_the_old_one() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 1, 1_000, 4, true, 400);
    stage.run(FRAME);
    let fields = Fields { payload_type: 101, timestamp: 1_000, ..sound(SOURCE + 1, 1) };
    stage.hear(A, fields, &[5, 0x8a, 1, 0x90]);
    assert_eq!(digits(&mut stage), [('4', 50), ('5', 50)]);
}

#[test]
fn a_gateway_that_sends_events_as_a_source_of_their_own_is_understood() {
    let mut stage = Stage::bridged();
    for n in 0..6u32 {
        stage.hear(A, sound(SOURCE + 1, 500 + n), &[0; 160]);
        let (end, duration) = (u8::from(n >= 3) << 7, (n.min(3) + 1) as u8);
        let fields = Fields { payload_type: 101, timestamp: 1_000, ..sound(SOURCE, n) };
        stage.hear(A, fields, &[5, end | 10, duration, 0]);
        stage.run(FRAME);
    }
    stage.run(500 * MS);
    assert_eq!(digits(&mut stage), [('5', 128)]);
    assert_eq!(stage.take_sent(B).len(), 12);
}

#[test]
fn flash_and_tones_are_no_digits() {
    let mut stage = Stage::bridged();
    event_packet(&mut stage, 1, 1_000, 16, true, 400);
    event_packet(&mut stage, 2, 9_000, 255, true, 400);
    assert_eq!(digits(&mut stage), []);
}

#[test]
fn a_flood_of_events_is_told_at_fifty_a_second_at_most() {
    let mut stage = Stage::bridged();
    for n in 0..1_000 {
        event_packet(&mut stage, n, n * 1_000, 1, true, 100);
        stage.run(MS);
    }
    assert!((45..=50).contains(&digits(&mut stage).len()));
}

#[test]
fn half_an_event_is_ignored() {
    let mut stage = Stage::bridged();
    let fields = Fields { payload_type: 101, ..sound(SOURCE, 1) };
    stage.hear(A, fields, &[5, 0x80, 0]);
    stage.run(500 * MS);
    assert_eq!(digits(&mut stage), []);
}

#[test]
fn events_are_passed_on_with_the_other_legs_number_and_one_timestamp() {
    let mut stage = Stage::bridged();
    stage.connect(B, Stream { send_event: Some(96), ..stream(B) });
    stage.hear(A, sound(SOURCE, 99), &[0; 160]);
    stage.run(FRAME);
    press(&mut stage, 100, 5, |_| false);
    let sent = stage.take_sent(B);
    assert_eq!(sent.len(), 7);
    assert!(sent[1..].iter().all(|sent| sent.packet.payload_type == 96));
    assert!(sent[2..].iter().all(|part| part.packet.timestamp == sent[1].packet.timestamp));
    assert_eq!(sent[1].packet.timestamp.wrapping_sub(sent[0].packet.timestamp), 160);
    assert_eq!(sent[6].payload, [5, 0x8a, 0x02, 0x80]);
}

#[test]
fn events_the_other_leg_does_not_know_leave_no_gap_but_are_told() {
    let mut stage = Stage::bridged();
    stage.connect(B, Stream { send_event: None, ..stream(B) });
    stage.hear(A, sound(SOURCE, 99), &[0; 160]);
    press(&mut stage, 100, 5, |_| false);
    stage.hear(A, sound(SOURCE, 106), &[0; 160]);
    let sent = stage.take_sent(B);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].packet.sequence.wrapping_sub(sent[0].packet.sequence), 1);
    assert_eq!(sent[1].packet.timestamp.wrapping_sub(sent[0].packet.timestamp), 7 * 160);
    assert_eq!(digits(&mut stage), [('5', 80)]);
}

#[test]
fn keys_are_told_while_a_prompt_plays() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &prompt(50), false);
    press(&mut stage, 100, 9, |_| false);
    assert_eq!(digits(&mut stage), [('9', 80)]);
}

#[test]
fn a_generated_digit_begins_with_a_marker_grows_and_ends_three_times() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    stage.command(Command::SendDigit { leg: A, digit: digit('#'), duration_ms: 100 }).run(1_000 * MS);
    let sent = stage.take_sent(A);
    let told: Vec<_> = sent.iter().map(|sent| (sent.packet.marker, sent.payload.clone())).collect();
    let part = |end: u8, duration: u16| [&[11, end << 7 | 10][..], &duration.to_be_bytes()].concat();
    let expected = [(true, 0, 160), (false, 0, 320), (false, 0, 480), (false, 0, 640), (false, 1, 800)];
    let mut expected: Vec<_> = expected.map(|(marker, end, duration)| (marker, part(end, duration))).into();
    expected.extend(vec![expected[4].clone(); 2]);
    assert_eq!(told, expected);
    assert!(sent.iter().all(|part| part.packet.timestamp == sent[0].packet.timestamp));
    assert!(sent.windows(2).all(|pair| pair[1].packet.sequence.wrapping_sub(pair[0].packet.sequence) == 1));
    assert!(sent.windows(2).all(|pair| pair[1].at - pair[0].at == FRAME));
}

#[test]
fn digits_wait_for_each_other_with_a_pause_between() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    for key in ['1', '2'] {
        stage.command(Command::SendDigit { leg: A, digit: digit(key), duration_ms: 40 });
    }
    stage.run(1_000 * MS);
    let sent = stage.take_sent(A);
    assert_eq!(sent.iter().map(|sent| sent.payload[0]).collect::<Vec<_>>(), [1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(sent[4].at - sent[3].at, 4 * FRAME);
    let apart = sent[4].packet.timestamp.wrapping_sub(sent[0].packet.timestamp);
    assert_eq!(apart, 7 * 160, "timestamps tell the true distance");
}

#[test]
fn a_digit_takes_the_place_of_music_and_of_the_partner_without_a_seam() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &prompt(200), true).run(5 * FRAME - MS);
    stage.command(Command::SendDigit { leg: A, digit: digit('1'), duration_ms: 40 }).run(20 * FRAME);
    let sent = stage.take_sent(A);
    assert!(sent.windows(2).all(|pair| pair[1].packet.sequence.wrapping_sub(pair[0].packet.sequence) == 1));
    let first_after = &sent[9];
    assert_eq!((sent[8].packet.payload_type, first_after.packet.payload_type), (101, 8));
    assert_eq!(first_after.packet.timestamp.wrapping_sub(sent[4].packet.timestamp), 5 * 160);
    assert_eq!(first_after.payload[0], frame_byte(9), "the music went on underneath");
}

/// §2.5.1.3 at 48 kHz, where 65,535 ticks are 1.4 s: each segment begins where the full one before it ends.
#[test]
fn a_long_event_goes_on_in_segments_and_is_heard_as_one_key() {
    let mut sender = Sender::new(48_000);
    assert!(sender.push(digit('7'), 5_000));
    let parts: Vec<Part> = std::iter::from_fn(|| match sender.beat() {
        Beat::Part(part) => Some(part),
        Beat::Pause | Beat::Done => None,
    })
    .collect();
    assert_eq!(parts.len(), 250 + 2, "20 ms each, and the end twice more");
    assert_eq!(parts.iter().filter(|part| part.payload.end).count(), 3);
    assert_eq!(parts.last().map(|part| part.segment + u32::from(part.payload.duration)), Some(240_000));
    for pair in parts.windows(2).filter(|pair| pair[1].segment != pair[0].segment) {
        assert_eq!((pair[0].payload.duration, pair[1].segment - pair[0].segment), (u16::MAX, 65_535));
    }
    assert_eq!(parts.last().unwrap().segment, 3 * 65_535);
    let (mut receiver, now) = (Receiver::default(), Stage::new().start);
    receiver.set_rate(48_000);
    let heard = parts
        .iter()
        .enumerate()
        .flat_map(|(n, part)| receiver.arrive(now + FRAME * n as u32, 1_000 + part.segment, part.payload));
    let heard: Vec<_> =
        heard.flatten().map(|pressed| (pressed.digit.as_char(), pressed.duration_ms)).collect();
    assert_eq!(heard, [('7', 5_000)]);
}

#[test]
fn a_digit_for_a_peer_that_knows_no_events_is_a_tone_in_his_codec() {
    let mut stage = Stage::new();
    let deaf = Stream {
        send_event: None,
        receive_event: None,
        codec: Codec::Pcmu,
        send_payload_type: 0,
        ..stream(A)
    };
    stage.open(A).connect(A, deaf);
    stage.command(Command::SendDigit { leg: A, digit: digit('1'), duration_ms: 100 });
    stage.command(Command::SendDigit { leg: A, digit: digit('#'), duration_ms: 50 }).run(1_000 * MS);
    let sent = stage.take_sent(A);
    assert_eq!(sent.len(), 5 + 3);
    assert!(sent.iter().all(|sent| sent.packet.payload_type == 0 && sent.payload.len() == 160));
    let mut samples = vec![0; 800];
    let bytes: Vec<u8> = sent[..5].iter().flat_map(|sent| sent.payload.clone()).collect();
    Codec::Pcmu.decode(&bytes, &mut samples);
    let level = |hz| tone::level_at(&samples, hz);
    assert!(level(697.0) > -16.0 && level(1_209.0) > -14.0, "{} {}", level(697.0), level(1_209.0));
    assert!([770.0, 941.0, 1_336.0, 1_633.0].iter().all(|hz| level(*hz) < -45.0));
    let silent = sent[7].payload.iter().filter(|byte| **byte == 0xff).count();
    assert!(silent >= 80, "50 ms are two frames and a half");
}

/// A leg that has agreed on no events, and what its peer presses with his tones.
fn presses_tones(stage: &mut Stage, from: u32, key: char) -> u32 {
    let mut frames = vec![[0i16; 160]; 8];
    for (n, frame) in frames.iter_mut().take(5).enumerate() {
        tones::write(digit(key), n as u32 * 160, frame);
    }
    for (n, frame) in (from..).zip(&frames) {
        let mut bytes = [0; 160];
        Codec::Pcma.encode(frame, &mut bytes);
        stage.hear(A, sound(SOURCE, n), &bytes);
        stage.run(FRAME);
    }
    from + 8
}

fn tones_told(stage: &mut Stage) -> Vec<char> {
    let told = |event| match event {
        Event::Tone { leg: A, digit, duration_ms: 80..=120 } => Some(digit.as_char()),
        _ => None,
    };
    stage.take_events().into_iter().filter_map(told).collect()
}

#[test]
fn a_key_as_a_tone_is_told_once_where_it_is_sought_and_nowhere_else() {
    for (wanted, bridged, told) in [
        (Tones::Never, false, ""),
        (Tones::Unbridged, false, "5#"),
        (Tones::Unbridged, true, ""),
        (Tones::Always, true, "5#"),
    ] {
        let mut stage = Stage::new();
        stage.open(A).connect(A, Stream { receive_event: None, tones: wanted, ..stream(A) });
        stage.open(B).connect(B, stream(B));
        if bridged {
            stage.command(Command::Bridge { a: A, b: B });
        }
        let next = presses_tones(&mut stage, 1, '5');
        presses_tones(&mut stage, next, '#');
        assert_eq!(tones_told(&mut stage).iter().collect::<String>(), told, "{wanted:?} {bridged}");
    }
}

#[test]
fn a_key_as_a_tone_is_told_though_its_packets_stop() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { receive_event: None, tones: Tones::Always, ..stream(A) });
    for n in 0..5 {
        let (mut frame, mut bytes) = ([0; 160], [0; 160]);
        tones::write(digit('9'), n * 160, &mut frame);
        Codec::Pcma.encode(&frame, &mut bytes);
        stage.hear(A, sound(SOURCE, n), &bytes);
        stage.run(FRAME);
    }
    assert!(tones_told(&mut stage).is_empty());
    stage.run(150 * MS);
    assert_eq!(tones_told(&mut stage), ['9']);
}

#[test]
fn every_key_has_its_event_number() {
    let keys: String = (0..16).map(|event| Digit::from_event(event).unwrap().as_char()).collect();
    assert_eq!(keys, "0123456789*#ABCD");
    assert_eq!(Digit::from_char('d').map(Digit::event), Some(15));
    assert_eq!((Digit::from_event(16), Digit::from_char('E'), Digit::from_char('é')), (None, None, None));
}
