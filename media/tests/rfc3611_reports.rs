//! RFC 3611: extended reports, sent to those who ask for them and read from whoever sends them; and what is behind them.

mod common;

use std::net::SocketAddr;

use common::*;
use media::rtp::rtcp;
use media::rtp::xr::{self, Delay, Extended, VoipMetrics, Wanted};
use media::sdp::{Negotiation, Policy};
use media::{Codec, Command, LegStats, Stream};

const CUSTOMER: u32 = 0xaaaa;

fn asking(wanted: Wanted) -> Stage {
    let mut stage = Stage::new();
    stage.open(A).connect(A, Stream { wanted_reports: wanted, ..stream(A) });
    stage
}

/// The extended part of the last report sent on A, as the peer reads what is about him.
fn last_extended(stage: &Stage) -> Extended {
    let (.., bytes) = stage.reports.last().expect("a report was sent");
    rtcp::read(bytes, CUSTOMER).unwrap().extended
}

fn speaks(stage: &mut Stage, numbers: impl IntoIterator<Item = u32>, payload: &[u8]) -> LegStats {
    for n in numbers {
        let at = stage.start + FRAME * n;
        stage.run(at.saturating_duration_since(stage.now));
        stage.hear(A, sound(CUSTOMER, n), payload);
    }
    stage.engine.stats(A).unwrap()
}

fn tells(stage: &mut Stage, extended: &Extended) {
    let mut bytes = vec![];
    rtcp::write(&mut bytes, CUSTOMER, 5, None, None, false);
    xr::write(&mut bytes, CUSTOMER, ours(A), extended);
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, SocketAddr::new(peer(A).ip(), 4_001), &mut bytes);
}

#[test]
fn who_asks_for_voip_metrics_learns_how_his_sound_reaches_us() {
    let mut stage = asking(Wanted { voip_metrics: true, reference_time: false });
    let burst = |n: &u32| (300..320).contains(n) && n.is_multiple_of(2);
    speaks(&mut stage, (0..1_000).filter(|n| !burst(n) && *n != 100), &[0x21; 160]);
    let Extended { voip_metrics: Some(metrics), reference_time: None, delay: None } = last_extended(&stage)
    else {
        panic!("{:?}", last_extended(&stage));
    };
    let VoipMetrics { loss, burst_density, burst_ms, signal_dbm0, r, listening, gmin, .. } = metrics;
    assert!((2..=3).contains(&loss), "11 of 700 to 1,000 in 256ths: {loss}");
    assert_eq!((burst_density, burst_ms, gmin), ((10 * 256 / 19) as u8, 19 * 20, 16));
    assert!(
        (-5..=3).contains(&signal_dbm0.unwrap()) && r.unwrap() < 93 && listening.unwrap() <= 43,
        "{metrics:?}"
    );
}

#[test]
fn who_asks_for_nothing_gets_no_extended_report() {
    let mut stage = asking(Wanted::default());
    speaks(&mut stage, 0..1_000, &[0x21; 160]);
    assert!(!stage.reports.is_empty() && last_extended(&stage).is_empty());
}

#[test]
fn a_reference_time_is_answered_by_when_it_came() {
    let mut stage = asking(Wanted::default());
    speaks(&mut stage, 0..10, &[0x21; 160]);
    tells(&mut stage, &Extended { reference_time: Some(0x1122_3344_5566_7788), ..Extended::default() });
    let came = stage.now;
    while stage.reports.is_empty() {
        stage.run(FRAME);
    }
    // Served at its own deadline, a frame before now at most.
    let Delay { last, delay } = last_extended(&stage).delay.unwrap();
    let waited = (stage.now - came).as_secs_f64() - f64::from(delay) / 65_536.0;
    assert_eq!(last, 0x3344_5566);
    assert!((0.0..0.021).contains(&waited), "{waited}");
}

#[test]
fn a_leg_that_only_receives_knows_the_round_trip_by_its_reference_time() {
    let mut stage = asking(Wanted { voip_metrics: false, reference_time: true });
    speaks(&mut stage, 0..500, &[0x21; 160]);
    let reference = last_extended(&stage).reference_time.unwrap();
    let (.., bytes) = stage.reports.last().unwrap();
    assert_eq!(bytes[1], 201, "it sends nothing, so its reports have no clock");
    // He keeps it until now and 60 ms pass on the way.
    let held = ((rtcp::ntp(UNIX_ORIGIN + (stage.now - stage.start)) - reference) >> 16) as u32;
    stage.run(60 * MS);
    let delay = Some(Delay { last: rtcp::middle(reference), delay: held });
    tells(&mut stage, &Extended { delay, ..Extended::default() });
    let trip = stage.engine.stats(A).unwrap().round_trip_us.unwrap();
    assert!((59_900..=60_100).contains(&trip), "{trip}");
}

#[test]
fn what_the_peer_says_of_our_sound_is_kept_and_what_he_says_of_others_is_not() {
    let mut stage = asking(Wanted::default());
    speaks(&mut stage, 0..10, &[0x21; 160]);
    let metrics = VoipMetrics { listening: Some(27), r: Some(55), ..VoipMetrics::default() };
    let mut bytes = vec![];
    rtcp::write(&mut bytes, CUSTOMER, 5, None, None, false);
    xr::write(
        &mut bytes,
        CUSTOMER,
        ours(A) + 1,
        &Extended { voip_metrics: Some(metrics), ..Extended::default() },
    );
    let now = stage.now;
    stage.engine.handle_rtcp(now, A, SocketAddr::new(peer(A).ip(), 4_001), &mut bytes);
    assert_eq!(stage.engine.stats(A).unwrap().remote_metrics, None);
    tells(&mut stage, &Extended { voip_metrics: Some(metrics), ..Extended::default() });
    assert_eq!(stage.engine.stats(A).unwrap().remote_metrics.unwrap().listening, Some(27));
}

#[test]
fn extended_reports_stand_between_the_description_and_the_goodbye() {
    let mut stage = asking(Wanted { voip_metrics: true, reference_time: true });
    speaks(&mut stage, 0..500, &[0x21; 160]);
    stage.command(Command::Close { leg: A });
    let (.., bytes) = stage.reports.last().unwrap();
    let (mut types, mut at) = (vec![], 0);
    while at < bytes.len() {
        types.push(bytes[at + 1]);
        at += 4 + 4 * usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    assert_eq!(types, [201, 202, 207, 203]);
}

#[test]
fn a_packet_that_comes_late_but_in_time_is_not_lost_and_one_that_never_comes_is() {
    let mut stage = asking(Wanted::default());
    let order = (0..50).chain([51, 52, 50]).chain(53..200).filter(|n| *n != 120);
    let stats = speaks(&mut stage, order, &[0x21; 160]);
    assert_eq!((stats.losses.lost, stats.losses.bursts, stats.reordered), (1, 0, 1));
}

#[test]
fn loss_is_known_before_the_memory_of_64_packets_has_passed_over_it() {
    let mut stage = asking(Wanted::default());
    let stats = speaks(&mut stage, (0..40).filter(|n| ![20, 22].contains(n)), &[0x21; 160]);
    assert_eq!((stats.losses.lost, stats.losses.bursts, stats.losses.burst_packets), (2, 1, 3));
}

#[test]
fn a_hole_of_a_thousand_packets_is_one_row() {
    let mut stage = asking(Wanted::default());
    let stats = speaks(&mut stage, (0..100).chain(1_100..1_200), &[0x21; 160]);
    assert_eq!((stats.losses.lost, stats.losses.rows, stats.losses.burst_packets), (1_000, 1, 1_000));
}

#[test]
fn a_source_that_starts_afresh_has_lost_nothing_between() {
    let mut stage = asking(Wanted::default());
    speaks(&mut stage, (0..100).filter(|n| *n != 50), &[0x21; 160]);
    for n in 100..200 {
        stage.run(FRAME).hear(A, sound(CUSTOMER, n + 30_000), &[0x21; 160]);
    }
    let losses = stage.engine.stats(A).unwrap().losses;
    assert_eq!((losses.lost, losses.rows), (1, 1));
}

#[test]
fn a_leg_on_which_nothing_came_has_no_rating_and_a_lossy_one_a_bad_one() {
    let mut stage = asking(Wanted::default());
    assert_eq!(stage.engine.stats(A).unwrap().rating, None);
    let good = speaks(&mut stage, 0..200, &[0x21; 160]).rating.unwrap();
    let bad = speaks(&mut stage, (200..400).filter(|n| n % 5 != 0), &[0x21; 160]).rating.unwrap();
    assert!(good.listening > 430 && bad.listening < 380, "{good:?} {bad:?}");
}

#[test]
fn we_ask_where_we_are_told_to_and_understand_who_asks() {
    let local: SocketAddr = "192.0.2.9:5000".parse().unwrap();
    let side = |rtcp_xr| Negotiation::new(Policy { rtcp_xr, ..Policy::default() }, local, 1, [7; 32]);
    for (ours, theirs) in [(true, false), (false, true), (true, true), (false, false)] {
        let (mut caller, mut called) = (side(ours), side(theirs));
        let offer = caller.offer_like(media::Direction::SendRecv, &[Codec::Pcma]);
        let (answer, stream) = called.answer(&offer).unwrap();
        let text = String::from_utf8_lossy(&offer).into_owned();
        assert_eq!(text.contains("a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"), ours, "{text}");
        let both = |asked| Wanted { voip_metrics: asked, reference_time: asked };
        assert_eq!(stream.wanted_reports, both(ours));
        assert_eq!(caller.accept(&answer).unwrap().wanted_reports, both(theirs));
    }
    let session =
        "v=0\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=rtcp-xr:voip-metrics\r\nm=audio 4000 RTP/AVP 8\r\n";
    let (_, stream) = side(false).answer(session.as_bytes()).unwrap();
    assert_eq!(stream.wanted_reports, Wanted { voip_metrics: true, reference_time: false });
}
