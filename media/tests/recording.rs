//! Recordings: every sample where the wall clock has it, whatever the network does.

mod common;

use std::time::Duration;

use common::{A, B, FRAME, MS, Stage, stream, title};
use media::rtp::Fields;
use media::{Codec, Command, Event, RecordingEnd, tone};

/// Samples of a packet.
const PACKET: usize = 160;
const SECOND: Duration = Duration::from_secs(1);

/// One leg that is recorded, and a peer who says a sine of 1 kHz.
struct Peer {
    stage: Stage,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
}

impl Peer {
    fn new() -> Peer {
        let mut stage = Stage::new();
        stage.open(A).connect(A, stream(A));
        stage.run(37 * MS);
        let mut peer = Peer { stage, codec: Codec::Pcma, sequence: 7_000, timestamp: 50_000 };
        peer.record(None);
        peer
    }

    fn record(&mut self, quiet: Option<Duration>) {
        self.stage.command(Command::Record { leg: A, title: title("message"), quiet });
    }

    fn fields(&self, back: u16) -> Fields {
        Fields {
            marker: false,
            payload_type: self.codec.static_payload_type().unwrap(),
            sequence: self.sequence.wrapping_sub(back),
            timestamp: self.timestamp.wrapping_sub(u32::from(back) * PACKET as u32),
            ssrc: 77,
        }
    }

    /// The sound of the packet so many before the present one.
    fn sound(&self, back: u16) -> Vec<u8> {
        let samples = tone::sine(1_000.0, 20, -10.0); // 20 whole periods: packets join without a click
        let mut bytes = vec![0; PACKET];
        self.codec.encode(&samples, &mut bytes);
        if back == u16::MAX { [silence(self.codec); PACKET].to_vec() } else { bytes }
    }

    /// 20 ms pass, in which the peer spoke the next packet; it is not sent.
    fn speaks(&mut self) {
        self.stage.run(FRAME);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PACKET as u32);
    }

    /// The packet spoken so many packets ago arrives.
    fn sends(&mut self, back: u16) {
        let (fields, sound) = (self.fields(back), self.sound(back));
        self.stage.hear(A, fields, &sound);
    }

    fn talks(&mut self, packets: usize) {
        for _ in 0..packets {
            self.speaks();
            self.sends(0);
        }
    }

    /// Ends the recording: its sound, checked to be in one piece.
    fn stops(&mut self) -> Vec<i16> {
        self.stage.command(Command::StopRecording { leg: A, end: RecordingEnd::Keep });
        let pieces = std::mem::take(&mut self.stage.recorded);
        let mut sound = vec![];
        for (n, piece) in pieces.iter().enumerate() {
            assert_eq!((&*piece.title.name, piece.at), ("message", sound.len() as u64));
            assert_eq!(piece.end.is_some(), n + 1 == pieces.len());
            assert!(piece.samples.len() <= 2_560, "{}", piece.samples.len());
            sound.extend_from_slice(&piece.samples);
        }
        sound
    }
}

/// For each 20 ms: was the tone there in full?
fn heard(sound: &[i16]) -> Vec<bool> {
    sound.chunks(PACKET).map(|frame| (tone::level(frame) + 10.0).abs() < 1.0).collect()
}

fn silent(sound: &[i16]) -> Vec<bool> {
    sound.chunks(PACKET).map(|frame| frame.iter().all(|sample| *sample == 0)).collect()
}

/// Frames that are neither the tone nor silence.
fn spoiled(sound: &[i16]) -> usize {
    heard(sound).iter().zip(silent(sound)).filter(|(heard, silent)| !**heard && !silent).count()
}

#[test]
fn what_is_said_is_recorded_for_as_long_as_it_lasted() {
    let mut peer = Peer::new();
    peer.talks(250);
    let sound = peer.stops();
    assert_eq!(sound.len(), 40_000);
    assert!(heard(&sound).iter().all(|heard| *heard));
    assert!((tone::level_at(&sound, 1_000.0) + 10.0).abs() < 0.5);
}

#[test]
fn blocks_come_out_while_it_goes_on_and_none_is_late() {
    let mut peer = Peer::new();
    peer.talks(100);
    let samples: usize = peer.stage.recorded.iter().map(|piece| piece.samples.len()).sum();
    assert!((12_800..=14_400).contains(&samples), "{samples} of 16,000");
    assert!(peer.stage.recorded.iter().all(|piece| piece.samples.len() == 800 && piece.end.is_none()));
}

#[test]
fn lost_packets_are_silence_of_their_length() {
    let mut peer = Peer::new();
    for n in 0..100 {
        peer.speaks();
        if n % 10 != 3 && n % 10 != 4 {
            peer.sends(0);
        }
    }
    let sound = peer.stops();
    assert_eq!(sound.len(), 16_000);
    for (n, (heard, silent)) in heard(&sound).into_iter().zip(silent(&sound)).enumerate() {
        let lost = n % 10 == 3 || n % 10 == 4;
        assert_eq!((heard, silent), (!lost, lost), "frame {n}");
    }
}

#[test]
fn packets_out_of_order_find_their_places() {
    let mut peer = Peer::new();
    for _ in 0..25 {
        (0..4).for_each(|_| peer.speaks());
        for back in [2, 3, 0, 1] {
            peer.sends(back);
        }
    }
    let sound = peer.stops();
    assert_eq!(sound.len(), 16_000);
    // The first to come was put where it came, two packets late: so is all that follows.
    assert!(heard(&sound)[3..].iter().filter(|heard| **heard).count() >= 96 - 3, "{:?}", heard(&sound));
    assert_eq!(spoiled(&sound), 0);
}

#[test]
fn duplicates_change_nothing() {
    let mut peer = Peer::new();
    for _ in 0..100 {
        peer.speaks();
        peer.sends(0);
        peer.sends(0);
    }
    let sound = peer.stops();
    assert!(sound.len() == 16_000 && heard(&sound).iter().all(|heard| *heard));
}

#[test]
fn numbers_and_timestamps_wrap() {
    let mut peer = Peer::new();
    (peer.sequence, peer.timestamp) = (65_500, u32::MAX - 40 * PACKET as u32 + 11);
    peer.talks(100);
    let sound = peer.stops();
    assert!(sound.len() == 16_000 && heard(&sound).iter().all(|heard| *heard), "{:?}", heard(&sound));
}

#[test]
fn a_peer_whose_numbers_start_anew_goes_on_at_the_wall_clock() {
    let mut peer = Peer::new();
    peer.talks(50);
    (peer.sequence, peer.timestamp) = (30_000, 3_000_000_000);
    peer.talks(50);
    let sound = peer.stops();
    assert_eq!(sound.len(), 16_000);
    // The first packet of the new numbers is not believed (RFC 3550 A.1).
    assert!(heard(&sound).iter().filter(|heard| **heard).count() >= 98);
    assert_eq!(spoiled(&sound), 0);
}

#[test]
fn a_timestamp_that_jumps_is_put_where_the_wall_clock_has_it() {
    let mut peer = Peer::new();
    peer.talks(50);
    peer.timestamp = peer.timestamp.wrapping_add(500_000);
    peer.talks(50);
    peer.timestamp = peer.timestamp.wrapping_sub(900_000);
    peer.talks(150);
    let sound = peer.stops();
    assert_eq!(sound.len(), 40_000);
    let heard = heard(&sound);
    assert!(heard[..100].iter().all(|heard| *heard));
    // Backwards it looks late for a second.
    assert!(heard[152..].iter().all(|heard| *heard), "{heard:?}");
}

#[test]
fn a_pause_of_the_network_is_silence_and_what_comes_after_it_in_a_heap_is_too_late() {
    let mut peer = Peer::new();
    peer.talks(50);
    (0..40).for_each(|_| peer.speaks());
    (0..40).rev().for_each(|back| peer.sends(back));
    peer.talks(50);
    let sound = peer.stops();
    assert_eq!(sound.len(), 140 * PACKET);
    let heard = heard(&sound);
    assert!(heard[..50].iter().chain(&heard[85..]).all(|heard| *heard), "{heard:?}");
    assert!(heard[50..75].iter().all(|heard| !*heard));
}

#[test]
fn nobody_speaks_at_all() {
    let mut peer = Peer::new();
    peer.stage.run(2 * SECOND + 13 * MS);
    let sound = peer.stops();
    assert_eq!(sound.len(), 16_104);
    assert!(sound.iter().all(|sample| *sample == 0));
}

#[test]
fn keys_are_not_recorded_and_leave_no_gap_in_time() {
    let mut peer = Peer::new();
    peer.talks(25);
    for n in 0..5u16 {
        peer.speaks();
        let fields = Fields { payload_type: 101, timestamp: 99_000, ..peer.fields(0) };
        let duration = (n + 1) * PACKET as u16;
        let [high, low] = duration.to_be_bytes();
        peer.stage.hear(A, fields, &[5, 10, high, low]);
    }
    peer.talks(25);
    let sound = peer.stops();
    let silent = silent(&sound);
    assert_eq!(sound.len(), 55 * PACKET);
    assert!(silent[25..30].iter().all(|silent| *silent), "{silent:?}");
    assert!(heard(&sound)[..25].iter().chain(&heard(&sound)[30..]).all(|heard| *heard));
}

#[test]
fn the_codec_may_change_in_the_middle() {
    let mut peer = Peer::new();
    peer.talks(25);
    peer.codec = Codec::Pcmu;
    peer.talks(25);
    let sound = peer.stops();
    assert!(sound.len() == 8_000 && heard(&sound).iter().all(|heard| *heard));
}

#[test]
fn a_bridge_changes_nothing_and_the_partner_hears_all() {
    let mut peer = Peer::new();
    peer.stage.open(B).connect(B, stream(B));
    peer.stage.command(Command::Bridge { a: A, b: B });
    peer.talks(50);
    assert_eq!(peer.stage.take_sent(B).len(), 50);
    let sound = peer.stops();
    assert!(sound.len() == 8_000 && heard(&sound).iter().all(|heard| *heard));
}

#[test]
fn quiet_is_told_once_when_it_has_lasted() {
    let mut peer = Peer::new();
    peer.record(Some(2 * SECOND));
    peer.talks(100);
    peer.stage.run(1_900 * MS);
    assert!(!peer.stage.events.contains(&Event::Quiet { leg: A }), "a pause that is short enough");
    peer.timestamp = peer.timestamp.wrapping_add(1_900 * 8);
    peer.talks(50);
    for _ in 0..300 {
        peer.speaks();
        peer.sends(u16::MAX); // digital silence is quiet too
    }
    let told = peer.stage.events.iter().filter(|event| **event == Event::Quiet { leg: A }).count();
    assert_eq!(told, 1);
}

#[test]
fn a_leg_that_is_closed_ends_its_recording_and_it_is_kept() {
    let mut peer = Peer::new();
    peer.talks(50);
    peer.stage.command(Command::Close { leg: A });
    let ends: Vec<_> = peer.stage.recorded.iter().filter_map(|piece| piece.end).collect();
    assert_eq!(ends, [RecordingEnd::Keep]);
    assert_eq!(peer.stage.recorded.iter().map(|piece| piece.samples.len()).sum::<usize>(), 8_000);
    assert_eq!(peer.stage.engine.counters().recording, 0);
}

#[test]
fn a_second_recording_ends_the_first_and_to_stop_twice_is_nothing() {
    let mut peer = Peer::new();
    peer.talks(10);
    peer.stage.command(Command::Record { leg: A, title: title("another"), quiet: None });
    peer.talks(10);
    let stop = Command::StopRecording { leg: A, end: RecordingEnd::Discard };
    peer.stage.command(stop.clone()).command(stop);
    let ends: Vec<_> =
        peer.stage.recorded.iter().filter_map(|piece| Some((&*piece.title.name, piece.end?))).collect();
    assert_eq!(ends, [("message", RecordingEnd::Keep), ("another", RecordingEnd::Discard)]);
}

/// The byte that says nothing.
fn silence(codec: Codec) -> u8 {
    let mut byte = [0];
    assert!(codec.encode(&[0], &mut byte));
    byte[0]
}
