//! Recordings of both sides: what the caller says and what he hears, on one clock, whoever speaks and whoever holds.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{A, B, C, FRAME, MS, Stage, stream};
use media::rtp::Fields;
use media::{
    Absence, Channel, Codec, Command, Digit, MediaLegKey, Note, Prompt, RecordingEnd, Sides, Title, tone,
};

/// Samples of a packet.
const PACKET: usize = 160;
const SECOND: Duration = Duration::from_secs(1);

/// The caller at A with a voice of 1 kHz, an agent at B with 500 Hz, another at C with 2 kHz.
struct Talk {
    stage: Stage,
    spoken: [(MediaLegKey, f32, u32); 3],
    codec: Codec,
}

/// The whole recording: both channels, and what was noted.
struct Taken {
    said: Vec<i16>,
    heard: Vec<i16>,
    notes: Vec<Note>,
}

impl Talk {
    fn new() -> Talk {
        let mut stage = Stage::bridged();
        stage.open(C).connect(C, stream(C));
        stage.run(37 * MS);
        let mut talk = Talk {
            stage,
            spoken: [(A, 1_000.0, 7), (B, 500.0, 900), (C, 2_000.0, 4_000_000)],
            codec: Codec::Pcma,
        };
        let title = Title { name: "call".into(), sides: Sides::Both, about: "a call".into() };
        talk.stage.command(Command::Record { leg: A, title: Arc::new(title), quiet: None });
        talk
    }

    fn says(&mut self, whose: usize) {
        let (leg, hz, n) = self.spoken[whose];
        let mut payload = [0; PACKET];
        let codec = if leg == B { self.codec } else { Codec::Pcma };
        codec.encode(&tone::sine(hz, 20, -10.0), &mut payload);
        let payload_type = codec.static_payload_type().unwrap();
        let fields = Fields {
            marker: false,
            payload_type,
            sequence: n as u16,
            timestamp: n.wrapping_mul(160),
            ssrc: leg.0 as u32,
        };
        self.stage.hear(leg, fields, &payload);
    }

    /// So many packets' time, in which these speak.
    fn talk(&mut self, packets: u32, who: &[usize]) {
        for _ in 0..packets {
            self.stage.run(FRAME);
            self.spoken.iter_mut().for_each(|(_, _, n)| *n += 1);
            who.iter().for_each(|whose| self.says(*whose));
        }
    }

    fn stops(&mut self) -> Taken {
        self.stage.command(Command::StopRecording { leg: A, end: RecordingEnd::Keep });
        taken(&mut self.stage)
    }
}

fn taken(stage: &mut Stage) -> Taken {
    let (mut said, mut heard, mut notes) = (vec![], vec![], vec![]);
    let pieces = std::mem::take(&mut stage.recorded);
    for (n, piece) in pieces.iter().enumerate() {
        assert_eq!((piece.title.about.as_str(), piece.at), ("a call", said.len() as u64));
        assert_eq!(piece.end.is_some(), n + 1 == pieces.len());
        said.extend(piece.samples.iter().step_by(2));
        heard.extend(piece.samples.iter().skip(1).step_by(2));
        notes.extend(piece.notes.clone());
    }
    assert_eq!(said.len(), heard.len());
    Taken { said, heard, notes }
}

/// In how many of these packets' times the tone is there in full.
fn packets_of(sound: &[i16], hz: f32) -> usize {
    sound.chunks_exact(PACKET).filter(|frame| (tone::level_at(frame, hz) + 10.0).abs() < 1.0).count()
}

fn silent(sound: &[i16]) -> usize {
    sound.chunks_exact(PACKET).filter(|frame| frame.iter().all(|sample| *sample == 0)).count()
}

/// Packets from..until of a channel.
fn part(sound: &[i16], from: usize, until: usize) -> &[i16] {
    &sound[from * PACKET..until * PACKET]
}

#[test]
fn each_side_is_in_its_channel_for_as_long_as_the_clock_on_the_wall_says() {
    let mut talk = Talk::new();
    talk.talk(500, &[0, 1]);
    let Taken { said, heard, notes } = talk.stops();
    assert_eq!(said.len(), 80_000);
    assert_eq!((packets_of(&said, 1_000.0), packets_of(&heard, 500.0)), (500, 500));
    assert_eq!(notes, []);
}

#[test]
fn prompts_music_and_whoever_is_bridged_follow_each_other_without_a_seam() {
    let mut talk = Talk::new();
    talk.talk(100, &[0, 1]);
    let prompt = Arc::new(Prompt::from_samples(&tone::sine(1_500.0, 1_000, -10.0), "prompt"));
    talk.stage.command(Command::Unbridge { leg: A });
    talk.stage.play(A, 1, &prompt, true);
    talk.talk(100, &[0]);
    talk.stage.command(Command::Bridge { a: A, b: C });
    talk.talk(100, &[0, 2]);
    let Taken { said, heard, notes } = talk.stops();
    assert_eq!((said.len(), packets_of(&said, 1_000.0)), (48_000, 300));
    assert!(packets_of(part(&heard, 0, 101), 500.0) >= 99);
    assert!(packets_of(part(&heard, 99, 202), 1_500.0) >= 98);
    assert!(packets_of(part(&heard, 200, 300), 2_000.0) >= 98, "{}", packets_of(&heard, 2_000.0));
    assert_eq!(notes, []);
}

#[test]
fn what_the_caller_hears_in_another_codec_than_it_was_said_in_is_recorded_as_he_hears_it() {
    let mut talk = Talk::new();
    talk.codec = Codec::Pcmu;
    talk.talk(50, &[0, 1]);
    talk.codec = Codec::Pcma;
    talk.talk(50, &[0, 1]);
    let Taken { heard, .. } = talk.stops();
    assert_eq!((heard.len(), packets_of(&heard, 500.0)), (16_000, 100));
    assert_eq!(talk.stage.engine.counters().transcoded, 50);
}

#[test]
fn silence_is_listed_with_who_holds() {
    let mut talk = Talk::new();
    talk.talk(50, &[0, 1]);
    let held = media::Stream { remote_holds: true, direction: media::Direction::RecvOnly, ..stream(B) };
    talk.stage.connect(B, held);
    talk.talk(50, &[0]);
    talk.stage.connect(B, stream(B));
    talk.talk(50, &[0, 1]);
    let held = media::Stream { remote_holds: true, direction: media::Direction::Inactive, ..stream(A) };
    talk.stage.connect(A, held);
    talk.talk(50, &[1]);
    talk.stage.connect(A, stream(A));
    talk.talk(50, &[0, 1]);
    talk.talk(5, &[1]);
    talk.talk(50, &[0, 1]);
    let Taken { said, heard, notes } = talk.stops();
    assert_eq!(said.len(), 305 * PACKET);
    let gap = |channel, packets: (u64, u64), why| Note::Gap {
        channel,
        at: packets.0 * 160,
        length: packets.1 * 160,
        why,
    };
    assert_eq!(
        notes,
        [
            gap(Channel::Heard, (50, 50), Absence::HeldByOther),
            gap(Channel::Said, (150, 50), Absence::HeldByPeer),
            gap(Channel::Heard, (150, 50), Absence::HeldByPeer),
            gap(Channel::Said, (250, 5), Absence::NothingCame),
        ]
    );
    assert_eq!((silent(&heard), silent(&said)), (100, 55));
}

#[test]
fn a_pause_is_silence_in_both_channels_also_for_what_comes_late_and_its_reason_is_kept() {
    let mut talk = Talk::new();
    talk.talk(50, &[0, 1]);
    talk.stage.command(Command::PauseRecording { leg: A, reason: "card data".into() });
    talk.talk(49, &[0, 1]);
    talk.stage.run(FRAME);
    talk.spoken.iter_mut().for_each(|(_, _, n)| *n += 1);
    let late = talk.spoken;
    talk.stage.command(Command::ResumeRecording { leg: A });
    talk.talk(2, &[0, 1]);
    let present = std::mem::replace(&mut talk.spoken, late);
    talk.says(0); // said during the pause, heard of after it
    talk.spoken = present;
    talk.talk(48, &[0, 1]);
    let Taken { said, heard, notes } = talk.stops();
    assert_eq!(said.len(), 150 * PACKET);
    for (sound, hz) in [(&said, 1_000.0), (&heard, 500.0)] {
        assert_eq!(silent(part(sound, 50, 100)), 50, "not a sample of the pause");
        assert_eq!((packets_of(part(sound, 0, 50), hz), packets_of(part(sound, 100, 150), hz)), (50, 50));
    }
    let reason = "card data".into();
    assert_eq!(notes, [Note::Paused { at: 8_000, length: 8_000, reason }], "a pause is no gap");
}

#[test]
fn a_call_that_ends_in_a_pause_says_so() {
    let mut talk = Talk::new();
    talk.talk(10, &[0, 1]);
    talk.stage.command(Command::PauseRecording { leg: A, reason: "card data".into() });
    talk.stage.command(Command::PauseRecording { leg: A, reason: "again".into() });
    talk.talk(10, &[0, 1]);
    talk.stage.command(Command::Close { leg: A });
    let Taken { said, notes, .. } = taken(&mut talk.stage);
    assert_eq!(silent(part(&said, 10, 20)), 10);
    assert_eq!(notes, [Note::Paused { at: 1_600, length: 1_600, reason: "card data".into() }]);
}

#[test]
fn it_goes_on_at_another_leg_without_a_seam() {
    let mut talk = Talk::new();
    talk.talk(50, &[0, 1]);
    talk.stage.command(Command::Bridge { a: C, b: B });
    talk.stage.command(Command::MoveRecording { from: A, to: C });
    talk.stage.command(Command::Close { leg: A });
    talk.talk(50, &[2, 1]);
    talk.stage.command(Command::StopRecording { leg: C, end: RecordingEnd::Keep });
    let Taken { said, heard, notes } = taken(&mut talk.stage);
    assert_eq!(said.len(), 16_000);
    assert_eq!(
        (packets_of(part(&said, 0, 50), 1_000.0), packets_of(part(&said, 50, 100), 2_000.0)),
        (50, 50)
    );
    assert_eq!(packets_of(&heard, 500.0), 100);
    assert_eq!((notes, talk.stage.engine.counters().recording), (vec![], 0));
}

#[test]
fn digits_are_left_out_and_marks_stand_where_they_were_made() {
    let mut talk = Talk::new();
    talk.talk(50, &[0, 1]);
    talk.stage.command(Command::MarkRecording { leg: A, what: "agent bo".into() });
    talk.stage.command(Command::SendDigit {
        leg: A,
        digit: Digit::from_char('5').unwrap(),
        duration_ms: 100,
    });
    talk.talk(50, &[0, 1]);
    let Taken { heard, notes, .. } = talk.stops();
    let lost = 100 - packets_of(&heard, 500.0);
    assert!((5..12).contains(&lost), "{lost} packets give way to the digit");
    assert_eq!(silent(&heard), lost);
    assert!(notes.contains(&Note::Mark { at: 8_000, what: "agent bo".into() }), "{notes:?}");
}

#[test]
fn loss_and_disorder_of_both_sides_cost_what_was_lost_and_move_nothing() {
    let mut talk = Talk::new();
    for n in 0..500u32 {
        talk.stage.run(FRAME);
        talk.spoken.iter_mut().for_each(|(_, _, n)| *n += 1);
        // Each fourth pair of packets comes in the other order, each tenth packet never.
        for whose in [0, 1] {
            let kept = talk.spoken[whose].2;
            match n % 8 {
                6 if n > 0 => continue,
                7 => {
                    talk.says(whose);
                    talk.spoken[whose].2 = kept - 1;
                    if n % 10 != 7 {
                        talk.says(whose);
                    }
                    talk.spoken[whose].2 = kept;
                }
                _ => talk.says(whose),
            }
        }
    }
    let Taken { said, heard, notes } = talk.stops();
    assert_eq!((said.len(), heard.len()), (80_000, 80_000));
    let lost = (0..500).filter(|n| n % 8 == 7 && n % 10 == 7).count();
    assert_eq!((packets_of(&said, 1_000.0), packets_of(&heard, 500.0)), (500 - lost, 500 - lost));
    assert_eq!(notes.len(), 2 * lost, "each is listed: {notes:?}");
    assert_eq!(talk.stage.now - talk.stage.start, 10 * SECOND + 37 * MS);
}
