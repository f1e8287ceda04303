//! RFC 3550 §6: reports sent and read. The far end's view is checked with another implementation's parser.

mod common;

use std::net::SocketAddr;

use common::*;
use media::rtp::rtcp::{self, ReportBlock, SenderInfo};
use media::{Command, Event, Stream};

const CUSTOMER: u32 = 0xaaaa;

/// The RTCP sent on a leg since the last call, with its moment forgotten.
fn reports(stage: &mut Stage) -> Vec<Vec<u8>> {
    std::mem::take(&mut stage.reports).into_iter().map(|(.., bytes)| bytes).collect()
}

/// Hears a second of sound, 50 packets.
fn second(stage: &mut Stage, n: u32) {
    for packet in n * 50..(n + 1) * 50 {
        stage.hear(A, sound(CUSTOMER, packet), &[0; 160]);
        stage.run(FRAME);
    }
}

fn from_peer(sender: Option<SenderInfo>, block: Option<ReportBlock>) -> Vec<u8> {
    let mut bytes = vec![];
    rtcp::write(&mut bytes, CUSTOMER, 5, sender, block, false);
    bytes
}

#[test]
fn rtcp_is_wanted_with_the_first_sound_and_not_with_mux() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).open(B).connect(B, Stream { rtcp_mux: true, ..stream(B) });
    assert_eq!(stage.take_events(), []);
    for leg in [A, B] {
        stage.hear(leg, sound(CUSTOMER, 1), b"x");
        stage.hear(leg, sound(CUSTOMER, 2), b"x");
    }
    let wanted = |event: &Event| matches!(event, Event::RtcpWanted { .. });
    let events: Vec<_> = stage.take_events().into_iter().filter(wanted).collect();
    assert_eq!(events, [Event::RtcpWanted { leg: A }]);
}

#[test]
fn who_wants_no_rtcp_gets_none() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_wanted: false, ..stream(A) });
    (0..20).for_each(|n| second(&mut stage, n));
    stage.command(Command::Close { leg: A });
    assert!(stage.reports.is_empty());
    assert!(!stage.take_events().contains(&Event::RtcpWanted { leg: A }));
}

#[test]
fn reports_come_every_five_seconds_on_average_and_never_closer_than_half_of_it() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    let mut moments = vec![];
    for n in 0..500 {
        second(&mut stage, n);
        moments.extend(reports(&mut stage).iter().map(|_| n));
    }
    assert!((85..=115).contains(&moments.len()), "{}", moments.len());
    assert!(moments.windows(2).all(|pair| (1..=8).contains(&(pair[1] - pair[0]))), "{moments:?}");
}

#[test]
fn a_listener_sends_receiver_reports_that_tell_the_loss() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    for n in (0..1_000).filter(|n| n % 10 != 3) {
        stage.hear(A, sound(CUSTOMER, n), &[0; 160]);
        stage.run(FRAME);
    }
    let (leg, to, bytes) = stage.reports.last().unwrap();
    assert_eq!((*leg, *to), (A, SocketAddr::new(peer(A).ip(), 4_001)));
    assert_eq!(bytes[1], 201, "a receiver report: we sent nothing");
    let block = rtcp::read(bytes, CUSTOMER).unwrap().about_us.unwrap();
    let expected = f64::from(block.highest + 1);
    assert!((f64::from(block.lost) / expected - 0.1).abs() < 0.01, "{block:?}");
    assert!((20..=32).contains(&block.fraction_lost), "about a tenth of 256: {block:?}");
}

#[test]
fn a_speaker_sends_sender_reports_whose_clocks_agree() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) }).play(A, 1, &prompt(250), true);
    stage.run(20_000 * MS);
    let reports = reports(&mut stage);
    assert!(reports.len() >= 2);
    let infos: Vec<_> = reports.iter().map(|bytes| rtcp::read(bytes, 0).unwrap().sender.unwrap()).collect();
    let (first, last) = (infos[0], infos[infos.len() - 1]);
    let ticks_by_wall_clock = ((last.ntp - first.ntp) as f64 / (1u64 << 32) as f64 * 8_000.0).round() as i64;
    let ticks = i64::from(last.rtp.wrapping_sub(first.rtp));
    assert!((ticks - ticks_by_wall_clock).abs() <= 8, "{ticks} against {ticks_by_wall_clock}");
    assert_eq!(last.octets, last.packets * 160);
    assert_eq!(first.ntp >> 32, 2_208_988_800 + UNIX_ORIGIN.as_secs() + (first.packets as u64 - 1) / 50);
}

#[test]
fn another_implementation_reads_our_reports() {
    let mut stage = Stage::bridged();
    for n in 0..500 {
        stage.hear(A, sound(CUSTOMER, n), &[0; 160]);
        stage.hear(B, sound(CUSTOMER, n), &[0; 160]);
        stage.run(FRAME);
    }
    let reports = reports(&mut stage);
    let mut bytes = bytes::Bytes::from(reports.last().unwrap().clone());
    let packets = rtc_rtcp::packet::unmarshal(&mut bytes).unwrap();
    assert_eq!(packets.len(), 2);
    let any = packets[0].as_any();
    let report = any.downcast_ref::<rtc_rtcp::sender_report::SenderReport>().unwrap();
    assert_eq!(
        (report.reports.len(), report.reports[0].ssrc, report.reports[0].total_lost),
        (1, CUSTOMER, 0)
    );
    let any = packets[1].as_any();
    let names = any.downcast_ref::<rtc_rtcp::source_description::SourceDescription>().unwrap();
    assert_eq!(&names.chunks[0].items[0].text[..15], &b"000000000000000"[..]);
}

#[test]
fn what_the_peer_reports_becomes_remote_loss_jitter_and_round_trip() {
    let mut stage = Stage::bridged();
    for n in 0..500 {
        stage.hear(B, sound(CUSTOMER, n), &[0; 160]);
        stage.hear(A, sound(CUSTOMER, n), &[0; 160]);
        stage.run(FRAME);
        if !stage.reports.is_empty() && stage.reports.iter().any(|(leg, ..)| *leg == A) {
            break;
        }
    }
    let (.., report) = stage.reports.iter().find(|(leg, ..)| *leg == A).unwrap();
    let sent = rtcp::read(report, 0).unwrap().sender.unwrap();
    stage.run(1_040 * MS);
    let block = ReportBlock {
        ssrc: ours(A),
        lost: 7,
        jitter: 24,
        last_report: rtcp::middle(sent.ntp),
        delay: 1 << 16, // it kept our report for a second
        ..ReportBlock::default()
    };
    let rtcp_of_a = SocketAddr::new(peer(A).ip(), 4_001);
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, rtcp_of_a, &mut from_peer(None, Some(block)));
    let stats = stage.engine.stats(A).unwrap();
    assert_eq!((stats.remote_lost, stats.remote_jitter_us), (Some(7), Some(3_000)));
    let trip = stats.round_trip_us.unwrap();
    assert!((39_900..=60_100).contains(&trip), "40 ms and at most one frame: {trip}");
}

#[test]
fn our_reports_tell_when_the_peers_last_one_came() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &prompt(1), false).hear(A, sound(CUSTOMER, 1), b"x");
    let ntp = 0x1122_3344_5566_7788;
    let (now, info) = (stage.now, SenderInfo { ntp, ..SenderInfo::default() });
    stage.engine.handle_rtcp(now, A, SocketAddr::new(peer(A).ip(), 4_001), &mut from_peer(Some(info), None));
    stage.run(500 * MS).command(Command::Close { leg: A });
    let report = reports(&mut stage).pop().unwrap();
    let block = rtcp::read(&report, CUSTOMER).unwrap().about_us.unwrap();
    assert_eq!((block.last_report, block.delay), (0x3344_5566, 1 << 15));
}

#[test]
fn rtcp_on_the_rtp_port_is_told_apart_and_goes_back_there_with_mux() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) });
    assert!(!stage.hear_bytes(A, peer(A), &from_peer(Some(SenderInfo::default()), None)));
    assert_eq!((stage.engine.counters().rtcp_received, stage.engine.counters().malformed), (1, 0));
    stage.run(10_000 * MS);
    assert_eq!(stage.reports[0].1, peer(A));
}

#[test]
fn reports_of_strangers_and_torn_ones_are_counted_and_ignored() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).hear(A, sound(CUSTOMER, 1), b"x");
    let block = ReportBlock { ssrc: ours(A), lost: 7, ..ReportBlock::default() };
    let bytes = from_peer(None, Some(block));
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, SocketAddr::from(([203, 0, 113, 9], 4_001)), &mut bytes.clone());
    stage.engine.handle_rtcp(now, A, peer(A), &mut bytes.clone()[..30]);
    let counters = stage.engine.counters();
    assert_eq!((counters.rejected, counters.rtcp_malformed, counters.rtcp_received), (1, 1, 0));
    assert_eq!(stage.engine.stats(A).unwrap().remote_lost, None);
}

#[test]
fn rtcp_alone_keeps_a_leg_from_falling_silent() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).hear(A, sound(CUSTOMER, 1), b"x");
    for _ in 0..30 {
        stage.run(10_000 * MS);
        let now = stage.now;
        stage.engine.handle_rtcp(now, A, SocketAddr::new(peer(A).ip(), 4_001), &mut from_peer(None, None));
    }
    assert!(!stage.take_events().iter().any(|event| matches!(event, Event::Silent { .. })));
}

#[test]
fn a_leg_says_goodbye_only_if_it_ever_spoke() {
    let goodbye = |stage: &mut Stage| {
        stage.command(Command::Close { leg: A });
        reports(stage).last().is_some_and(|bytes| rtcp::read(bytes, 0).unwrap().goodbye)
    };
    let mux = Stream { rtcp_mux: true, ..stream(A) };
    let mut stage = Stage::new();
    stage.open(A).connect(A, mux.clone());
    assert!(!goodbye(&mut stage), "nothing was sent (§6.3.7)");
    stage.open(A).connect(A, mux.clone()).play(A, 1, &prompt(1), false).run(FRAME);
    assert!(goodbye(&mut stage), "it spoke");
    stage.open(A).connect(A, mux).hear(A, sound(CUSTOMER, 1), b"x");
    stage.run(10_000 * MS);
    assert!(goodbye(&mut stage), "it reported");
}

#[test]
fn the_last_word_comes_before_the_end() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) }).play(A, 1, &prompt(9), false);
    stage.engine.handle_command(stage.now, Command::Close { leg: A });
    assert!(matches!(stage.engine.poll_output(), media::Output::Transmit { .. }));
    assert!(matches!(stage.engine.poll_output(), media::Output::Event(Event::Closed { .. })));
}

#[test]
fn rtcp_of_a_peer_behind_nat_goes_beside_its_sound_until_its_own_is_heard() {
    let mut stage = Stage::new();
    let (nat, nat_rtcp) =
        (SocketAddr::from(([198, 51, 100, 7], 31_000)), SocketAddr::from(([198, 51, 100, 7], 777)));
    stage.open(A).connect(A, stream(A));
    for n in 0..5 {
        stage.hear_from(A, nat, sound(CUSTOMER, n), b"x");
    }
    stage.run(8_000 * MS);
    assert_eq!(stage.reports.last().unwrap().1, SocketAddr::new(nat.ip(), 31_001));
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, nat_rtcp, &mut from_peer(None, None));
    stage.run(8_000 * MS);
    assert_eq!(stage.reports.last().unwrap().1, nat_rtcp);
}

#[test]
fn a_peer_that_gives_up_mux_gets_a_socket_of_its_own_for_rtcp() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) }).hear(A, sound(CUSTOMER, 1), b"x");
    stage.connect(A, stream(A)).hear(A, sound(CUSTOMER, 2), b"x");
    assert!(stage.take_events().contains(&Event::RtcpWanted { leg: A }));
}

#[test]
fn a_report_that_tells_no_time_does_not_wipe_out_the_round_trip() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) }).play(A, 1, &prompt(9), true);
    stage.run(8_000 * MS);
    let sent = rtcp::read(&reports(&mut stage)[0], 0).unwrap().sender.unwrap();
    let block = ReportBlock { ssrc: ours(A), last_report: rtcp::middle(sent.ntp), ..ReportBlock::default() };
    for block in [block, ReportBlock { last_report: 0, ..block }] {
        stage.hear_bytes(A, peer(A), &from_peer(None, Some(block)));
    }
    assert!(stage.engine.stats(A).unwrap().round_trip_us.is_some());
}

#[test]
fn after_a_report_silence_is_told_again() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) });
    for _ in 0..2 {
        stage.run(60_000 * MS);
        assert!(matches!(stage.take_events()[..], [Event::Silent { .. }]));
        stage.hear_bytes(A, peer(A), &from_peer(None, None));
    }
}

#[test]
fn a_leg_that_only_passes_sound_on_reports_it_too() {
    let mut stage = Stage::bridged();
    stage.connect(B, Stream { rtcp_mux: true, ..stream(B) });
    (0..9).for_each(|n| second(&mut stage, n));
    let of_b = stage.reports.iter().find(|(leg, ..)| *leg == B).expect("a report within nine seconds");
    assert_eq!(of_b.2[1], 200, "a sender report");
}

#[test]
fn who_stops_speaking_is_a_sender_for_one_report_more() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { rtcp_mux: true, ..stream(A) }).play(A, 1, &prompt(1), false);
    stage.run(60_000 * MS);
    let kinds: Vec<_> = reports(&mut stage).iter().map(|report| report[1]).collect();
    assert_eq!(kinds[..4], [200, 200, 201, 201], "§6.4");
}

#[test]
fn the_first_report_comes_after_half_an_interval() {
    let mut total = std::time::Duration::ZERO;
    let mut stage = Stage::new();
    for n in 0..50 {
        let leg = media::MediaLegKey(0x100 + n);
        stage.open(leg).connect(leg, Stream { rtcp_mux: true, ..stream(leg) }).play(
            leg,
            1,
            &prompt(1),
            false,
        );
        let begun = stage.now;
        while stage.reports.is_empty() {
            stage.run(50 * MS);
        }
        total += stage.now - begun;
        stage.command(Command::Close { leg });
        stage.reports.clear();
    }
    assert!((2_200..2_800).contains(&(total / 50).as_millis()), "§6.2: {total:?}");
}
