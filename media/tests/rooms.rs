//! Sound that is decoded and mixed, by what the peers hear: codecs that do not go together, supervision, conferences.

mod common;

use common::{A, B, C, FRAME, Stage, frame_byte, prompt, stream};
use media::codec::{Decoder, Encoder, OpusParameters};
use media::dtmf::Payload;
use media::rtp::Fields;
use media::{Codec, Command, Event, MediaLegKey, Stream, Supervision, tone};

const OURS: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

/// Telephones that each say a tone of their own, and what each of them hears.
struct Telephones {
    stage: Stage,
    list: Vec<Telephone>,
}

struct Telephone {
    leg: MediaLegKey,
    codec: Codec,
    hz: f32,
    encoder: Encoder,
    decoder: Decoder,
    sent: u32,
    heard: Vec<i16>,
    says: bool,
}

impl Telephones {
    fn new(list: &[(MediaLegKey, Codec, f32)]) -> Telephones {
        let mut telephones = Telephones { stage: Stage::new(), list: vec![] };
        for &(leg, codec, hz) in list {
            telephones.stage.open(leg).connect(leg, speaking(leg, codec));
            telephones.list.push(Telephone {
                leg,
                codec,
                hz,
                encoder: Encoder::new(codec, OpusParameters::default()).unwrap(),
                decoder: Decoder::new(codec).unwrap(),
                sent: 0,
                heard: vec![],
                says: true,
            });
        }
        telephones
    }

    fn bridge(&mut self, a: MediaLegKey, b: MediaLegKey) -> &mut Telephones {
        self.stage.command(Command::Bridge { a, b });
        self
    }

    fn supervise(&mut self, leg: MediaLegKey, of: MediaLegKey, how: Supervision) -> &mut Telephones {
        self.stage.command(Command::Supervise { leg, of, how });
        self
    }

    /// So many frames of 20 ms; those of telephone `n` for which `lost` says so never arrive.
    fn talk_with_loss(&mut self, frames: u32, lost: impl Fn(usize, u32) -> bool) -> &mut Telephones {
        for frame in 0..frames {
            for n in 0..self.list.len() {
                let (leg, fields, payload) = self.list[n].speak();
                if self.list[n].says && !lost(n, frame) {
                    self.stage.hear(leg, fields, &payload);
                }
            }
            self.stage.run(FRAME);
            for telephone in &mut self.list {
                for sent in self.stage.take_sent(telephone.leg) {
                    if sent.packet.payload_type == number(telephone.codec) {
                        telephone.decoder.decode(&sent.payload, &mut telephone.heard);
                    }
                }
            }
        }
        self
    }

    fn talk(&mut self, frames: u32) -> &mut Telephones {
        self.talk_with_loss(frames, |_, _| false)
    }

    /// How loud each telephone's tone has been at `listener` in the last half second, in dBFS.
    fn levels(&self, listener: MediaLegKey) -> Vec<f32> {
        let at = self.list.iter().find(|telephone| telephone.leg == listener).unwrap();
        let rate = at.codec.sound_rate();
        let last = &at.heard[at.heard.len().saturating_sub(rate as usize / 2)..];
        self.list.iter().map(|telephone| tone::level_at_rate(rate, last, telephone.hz)).collect()
    }

    /// Whose tones `listener` hears, by their legs.
    fn heard_by(&self, listener: MediaLegKey) -> Vec<MediaLegKey> {
        let levels = self.levels(listener);
        let heard = self.list.iter().zip(levels).filter(|(_, level)| *level > SAID - 3.0);
        heard.map(|(telephone, _)| telephone.leg).collect()
    }
}

const SAID: f32 = -16.0;

impl Telephone {
    fn speak(&mut self) -> (MediaLegKey, Fields, Vec<u8>) {
        let rate = self.codec.sound_rate();
        let samples: Vec<i16> = (0..rate / 50)
            .map(|at| {
                let seconds = f64::from(self.sent * (rate / 50) + at) / f64::from(rate);
                let peak = 32_767.0 * 10f64.powf(f64::from(SAID) / 20.0);
                (peak * (std::f64::consts::TAU * f64::from(self.hz) * seconds).sin()) as i16
            })
            .collect();
        let mut payload = vec![];
        assert!(self.encoder.encode(&samples, &mut payload));
        let fields = Fields {
            marker: false,
            payload_type: number(self.codec),
            sequence: self.sent as u16,
            timestamp: self.sent * self.codec.clock_rate() / 50,
            ssrc: self.leg.0 as u32,
        };
        self.sent += 1;
        (self.leg, fields, payload)
    }
}

fn number(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(111)
}

fn speaking(leg: MediaLegKey, codec: Codec) -> Stream {
    Stream { codec, send_payload_type: number(codec), receive_payload_type: number(codec), ..stream(leg) }
}

#[test]
fn whatever_two_speak_they_hear_each_other_at_the_level_they_spoke() {
    for one in OURS {
        for other in OURS {
            let mut telephones = Telephones::new(&[(A, one, 700.0), (B, other, 1_100.0)]);
            telephones.bridge(A, B).talk(60);
            for (listener, said, own) in [(A, 1, 0), (B, 0, 1)] {
                let levels = telephones.levels(listener);
                assert!(
                    (levels[said] - SAID).abs() < 1.0,
                    "{one} to {other}, at {listener}: {} dBFS",
                    levels[said]
                );
                assert!(levels[own] < SAID - 30.0, "{one} to {other}: nobody hears himself");
            }
            let needs = one != other && !(one.is_g711() && other.is_g711());
            assert_eq!(telephones.stage.engine.counters().rooms, u64::from(needs), "{one} to {other}");
        }
    }
}

#[test]
fn two_way_sound_is_told_of_a_converted_bridge_too() {
    let mut telephones = Telephones::new(&[(A, Codec::Opus, 700.0), (B, Codec::Pcma, 1_100.0)]);
    telephones.bridge(A, B).talk(3);
    let told = telephones.stage.take_events();
    assert!(told.iter().any(|event| matches!(event, Event::TwoWay { .. })), "{told:?}");
}

#[test]
fn a_converted_bridge_survives_loss_in_both_directions() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut telephones = Telephones::new(&[(A, codec, 700.0), (B, Codec::Pcma, 1_100.0)]);
        telephones.bridge(A, B).talk_with_loss(200, |n, frame| (frame + 7 * n as u32) % 20 == 3);
        assert!((telephones.levels(A)[1] - SAID).abs() < 1.5 && (telephones.levels(B)[0] - SAID).abs() < 1.5);
        let stats = telephones.stage.engine.stats(A).unwrap();
        assert!((5..=20).contains(&stats.concealed), "{codec}: {} made up", stats.concealed);
        assert!((20..=100).contains(&stats.longest_wait_ms), "{codec}: {} ms", stats.longest_wait_ms);
    }
}

#[test]
fn when_a_new_agreement_makes_converting_needless_packets_are_relayed_again() {
    let mut telephones = Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::G722, 1_100.0)]);
    telephones.bridge(A, B).talk(10);
    telephones.stage.connect(B, speaking(B, Codec::Pcmu));
    assert_eq!(telephones.stage.engine.counters().rooms, 0);
    let relayed = telephones.stage.engine.counters().relayed;
    telephones.list[1].says = false;
    telephones.talk(10);
    assert_eq!(telephones.stage.engine.counters().relayed, relayed + 10);
}

#[test]
fn a_codec_that_can_only_be_passed_on_is_neither_heard_nor_silent_for_the_others() {
    let mut telephones = Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0)]);
    telephones.stage.connect(B, speaking(B, Codec::G729));
    telephones.bridge(A, B);
    telephones.list[1].says = false;
    telephones.talk(5);
    assert!(telephones.stage.take_sent(B).is_empty());
}

#[test]
fn digits_cross_a_converted_bridge() {
    let mut telephones = Telephones::new(&[(A, Codec::G722, 700.0), (B, Codec::Pcma, 1_100.0)]);
    telephones.bridge(A, B).talk(5);
    for (n, end) in [(0u16, false), (1, false), (2, true)] {
        let payload = Payload { event: 5, end, volume: 10, duration: 160 * (n + 1) }.write();
        let fields = Fields {
            marker: n == 0,
            payload_type: 101,
            sequence: 100 + n,
            timestamp: 90_000,
            ssrc: A.0 as u32,
        };
        telephones.stage.hear(A, fields, &payload);
        telephones.stage.run(FRAME);
    }
    telephones.stage.run(10 * FRAME);
    let events: Vec<u8> = telephones
        .stage
        .take_sent(B)
        .iter()
        .filter(|sent| sent.packet.payload_type == 101)
        .map(|sent| sent.payload[0])
        .collect();
    assert!(events.len() >= 3 && events.iter().all(|event| *event == 5), "{events:?}");
}

#[test]
fn who_listens_hears_both_and_is_heard_by_nobody() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcmu, 1_100.0), (C, Codec::G722, 1_700.0)]);
    telephones.bridge(A, B).supervise(C, B, Supervision::Listen).talk(60);
    assert_eq!(telephones.heard_by(C), [A, B]);
    assert_eq!((telephones.heard_by(A), telephones.heard_by(B)), (vec![B], vec![A]));
}

#[test]
fn who_whispers_is_heard_by_one_and_who_barges_in_by_both() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0), (C, Codec::Opus, 1_700.0)]);
    telephones.bridge(A, B).supervise(C, B, Supervision::Whisper).talk(60);
    assert_eq!(
        (telephones.heard_by(A), telephones.heard_by(B), telephones.heard_by(C)),
        (vec![B], vec![A, C], vec![A, B])
    );
    telephones.supervise(C, B, Supervision::Barge).talk(60);
    assert_eq!(
        (telephones.heard_by(A), telephones.heard_by(B), telephones.heard_by(C)),
        (vec![B, C], vec![A, C], vec![A, B])
    );
    telephones.supervise(C, A, Supervision::Whisper).talk(60);
    assert_eq!((telephones.heard_by(A), telephones.heard_by(B)), (vec![B, C], vec![A]));
}

#[test]
fn beginning_and_ending_to_listen_leaves_no_gap_in_the_numbers_of_those_who_talk() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0), (C, Codec::Pcma, 1_700.0)]);
    telephones.bridge(A, B);
    let mut sent = vec![];
    for step in 0..90 {
        match step {
            30 => _ = telephones.supervise(C, B, Supervision::Listen),
            60 => _ = telephones.stage.command(Command::Unbridge { leg: C }),
            _ => {}
        }
        let (leg, fields, payload) = telephones.list[0].speak();
        telephones.stage.hear(leg, fields, &payload);
        telephones.stage.run(FRAME);
        sent.extend(telephones.stage.take_sent(B));
    }
    let rooms = telephones.stage.engine.counters().rooms;
    assert_eq!(rooms, 0, "packets are relayed again");
    let steps: Vec<u16> =
        sent.windows(2).map(|pair| pair[1].packet.sequence.wrapping_sub(pair[0].packet.sequence)).collect();
    assert!(steps.iter().all(|step| *step == 1), "{steps:?}");
    let backwards = sent
        .windows(2)
        .filter(|pair| pair[1].packet.timestamp.wrapping_sub(pair[0].packet.timestamp).cast_signed() <= 0)
        .count();
    assert_eq!(backwards, 0);
    assert!(sent.len() >= 86, "{} packets in 90 frames", sent.len());
}

#[test]
fn who_supervises_an_agent_hears_his_next_caller_too() {
    let next = MediaLegKey(0xd);
    let mut telephones = Telephones::new(&[
        (A, Codec::Pcma, 700.0),
        (B, Codec::Pcma, 1_100.0),
        (C, Codec::Pcma, 1_700.0),
        (next, Codec::G722, 2_300.0),
    ]);
    telephones.bridge(A, B).supervise(C, B, Supervision::Listen).talk(40);
    telephones.stage.command(Command::Close { leg: A });
    telephones.talk(40);
    assert_eq!(telephones.heard_by(C), [B], "between two calls");
    telephones.bridge(next, B).talk(60);
    assert_eq!(telephones.heard_by(C), [B, next]);
}

#[test]
fn who_supervised_somebody_that_is_gone_is_told_and_hears_nobody() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0), (C, Codec::Pcma, 1_700.0)]);
    telephones.bridge(A, B).supervise(C, B, Supervision::Barge).talk(5);
    telephones.stage.command(Command::Close { leg: B });
    assert!(telephones.stage.take_events().contains(&Event::Alone { leg: C }));
    assert_eq!(telephones.stage.engine.counters().rooms, 0);
}

#[test]
fn nobody_supervises_a_supervisor_or_himself() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0), (C, Codec::Pcma, 1_700.0)]);
    telephones.bridge(A, B).supervise(C, C, Supervision::Listen);
    assert_eq!(telephones.stage.take_events(), [Event::Alone { leg: C }]);
    telephones.supervise(C, B, Supervision::Listen).supervise(A, C, Supervision::Listen);
    assert_eq!(telephones.stage.take_events(), [Event::Alone { leg: A }]);
}

#[test]
fn in_a_conference_of_32_everybody_hears_all_others_and_not_himself_and_no_more_come_in() {
    let legs: Vec<(MediaLegKey, Codec, f32)> = (0..33u16)
        .map(|n| (MediaLegKey(0x100 + u64::from(n)), OURS[usize::from(n) % 3], 300.0 + 80.0 * f32::from(n)))
        .collect();
    let mut telephones = Telephones::new(&legs);
    telephones.list[4..].iter_mut().for_each(|telephone| telephone.says = false);
    for (leg, ..) in &legs {
        telephones.stage.command(Command::Join { leg: *leg, conference: 7 });
    }
    assert_eq!(telephones.stage.take_events(), [Event::Full { leg: legs[32].0 }]);
    telephones.talk(60);
    let speakers: Vec<MediaLegKey> = legs[..4].iter().map(|leg| leg.0).collect();
    for (leg, ..) in &legs[..32] {
        let others: Vec<MediaLegKey> = speakers.iter().copied().filter(|speaker| speaker != leg).collect();
        assert_eq!(telephones.heard_by(*leg), others, "{leg}");
    }
    assert!(telephones.heard_by(legs[32].0).is_empty());
}

#[test]
fn who_leaves_a_conference_makes_room_and_the_last_one_ends_it() {
    let mut telephones =
        Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::Pcma, 1_100.0), (C, Codec::Pcma, 1_700.0)]);
    for leg in [A, B, C] {
        telephones.stage.command(Command::Join { leg, conference: 7 });
    }
    telephones.talk(40);
    telephones.stage.command(Command::Close { leg: A });
    telephones.talk(40);
    assert_eq!((telephones.heard_by(B), telephones.heard_by(C)), (vec![C], vec![B]));
    telephones.stage.command(Command::Unbridge { leg: B }).command(Command::Close { leg: C });
    assert_eq!(telephones.stage.engine.counters().rooms, 0);
}

#[test]
fn a_prompt_goes_before_what_others_say() {
    let mut telephones = Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::G722, 1_100.0)]);
    telephones.bridge(A, B).talk(10);
    telephones.stage.play(A, 1, &prompt(5), false);
    telephones.stage.run(8 * FRAME);
    let said: Vec<u8> = telephones.stage.take_sent(A).iter().map(|sent| sent.payload[0]).collect();
    assert_eq!(said[..5], [0, 1, 2, 3, 4].map(frame_byte));
    assert!(said.len() >= 7, "and then the other is heard again");
}

#[test]
fn a_held_party_of_a_converted_bridge_is_sent_nothing() {
    let mut telephones = Telephones::new(&[(A, Codec::Pcma, 700.0), (B, Codec::G722, 1_100.0)]);
    telephones.bridge(A, B).talk(10);
    let held =
        Stream { direction: media::Direction::RecvOnly, remote_holds: true, ..speaking(B, Codec::G722) };
    telephones.stage.connect(B, held);
    telephones.stage.run(10 * FRAME);
    assert!(telephones.stage.take_sent(B).is_empty());
}
