//! A whole engine under any orders and datagrams: nothing is sent to an address that was neither signalled nor heard from, no
//! more than a few packets and events follow from one input, and closed legs leave nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::sdp::Tones;
use media::{
    Codec, Command, Digit, Direction, Engine, Event, MediaLegKey, Output, PlayFrom, Prompt, Settings, Sides,
    Stream, Supervision, Title,
};

const LEGS: u64 = 4;
/// Outputs that may follow from one input: at most 20 ms pass with it, in which each leg may play, report and tell.
const MOST: usize = 40;

struct Stage {
    engine: Engine,
    now: Instant,
    /// Of each leg: addresses that SDP gave, and addresses it was sent something from.
    known: Vec<BTreeSet<SocketAddr>>,
    open: BTreeSet<u64>,
    next: u64,
    prompt: std::sync::Arc<Prompt>,
}

/// Of each input: what it is, a leg, then its own bytes.
pub fn run(mut data: &[u8]) {
    let mut stage = Stage::new();
    while let [kind, which, rest @ ..] = data {
        let taken = stage.input(*kind, u64::from(*which), rest);
        data = &rest[taken.min(rest.len())..];
        stage.passes(Duration::from_millis(u64::from(kind >> 4)));
        stage.drain();
    }
    for leg in std::mem::take(&mut stage.open) {
        stage.command(Command::Close { leg: MediaLegKey(leg) });
    }
    stage.drain();
    assert_eq!((stage.engine.counters().legs, stage.engine.counters().bridges), (0, 0));
    assert_eq!((stage.engine.counters().playing, stage.engine.counters().recording), (0, 0));
}

impl Stage {
    fn new() -> Stage {
        let now = origin();
        let settings =
            Settings { max_legs: LEGS as usize, ..Settings::new(now, Duration::from_secs(1_800_000_000), 1) };
        let mut stage = Stage {
            engine: Engine::new(settings),
            now,
            known: vec![BTreeSet::new(); 256],
            open: BTreeSet::new(),
            next: 0,
            prompt: std::sync::Arc::new(Prompt::from_samples(&[1_000; 800], "fuzz")),
        };
        for leg in 0..2 {
            stage.open(leg);
            stage.connect(leg, &[0, 0, 0]);
        }
        stage.command(Command::Bridge { a: MediaLegKey(0), b: MediaLegKey(1) });
        stage
    }

    /// Does one thing; how many bytes of `rest` it has used.
    fn input(&mut self, kind: u8, which: u64, rest: &[u8]) -> usize {
        let leg = MediaLegKey(which % LEGS.max(self.next));
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        match kind & 15 {
            0..=5 => {
                let (datagram, _) = rest.split_at(usize::from(byte(0)).min(rest.len()));
                self.hear(leg, address(which >> 6, byte(1)), datagram, kind & 15 == 5);
                return datagram.len().max(1);
            }
            6 => self.open(self.next),
            7 => {
                self.connect(leg.0, &[byte(0), byte(1), byte(2)]);
                return 3;
            }
            8 => self.command(Command::Bridge { a: leg, b: MediaLegKey(u64::from(byte(0)) % LEGS) }),
            9 => self.command(Command::Unbridge { leg }),
            10 => {
                let (prompt, repeat) = (self.prompt.clone(), byte(0) & 1 == 1);
                self.command(Command::Play {
                    leg,
                    play: 1,
                    prompt: prompt.into(),
                    repeat,
                    from: PlayFrom::Start,
                });
            }
            11 => {
                let digit = Digit::from_event(byte(0) & 15).expect("below 16");
                self.command(Command::SendDigit { leg, digit, duration_ms: u16::from(byte(1)) * 64 });
                return 2;
            }
            12 => {
                let within = Duration::from_millis(u64::from(byte(0)) * 20);
                match byte(1) % 4 {
                    0 => self.command(Command::Guard { leg, within }),
                    1 => self.command(Command::Relatch { leg }),
                    more => self.command(Command::Expect { leg, within, on_hold: more == 3 }),
                }
                return 2;
            }
            13 => {
                let sides = if byte(0) & 1 == 0 { Sides::Peer } else { Sides::Both };
                let title = Title { name: "fuzz".into(), sides, about: String::new() };
                self.command(match byte(0) >> 6 {
                    0 => Command::Record { leg, title: title.into(), quiet: None },
                    1 => Command::Join { leg, conference: u64::from(byte(0) & 2) },
                    how => {
                        let how = if how == 2 { Supervision::Whisper } else { Supervision::Barge };
                        Command::Supervise { leg, of: MediaLegKey(u64::from(byte(0)) % LEGS), how }
                    }
                });
            }
            14 => {
                self.open.remove(&leg.0);
                self.command(Command::Close { leg });
            }
            _ => self.passes(Duration::from_millis(u64::from(byte(0)) * 40)),
        }
        1
    }

    fn command(&mut self, command: Command) {
        self.engine.handle_command(self.now, command);
    }

    fn open(&mut self, leg: u64) {
        if leg < 256 && self.open.len() < LEGS as usize {
            self.next = leg + 1;
            self.open.insert(leg);
            let (ssrc, sequence) = (leg as u32, 65_500);
            self.command(Command::Open { leg: MediaLegKey(leg), ssrc, sequence, timestamp: 1, cname: 1 });
        }
    }

    fn connect(&mut self, leg: u64, how: &[u8; 3]) {
        let remote = address(leg, how[0] & 3);
        if self.open.contains(&leg) {
            self.known[leg as usize].insert(remote);
        }
        self.command(Command::Connect { leg: MediaLegKey(leg), stream: stream(remote, how[1], how[2]) });
    }

    fn hear(&mut self, leg: MediaLegKey, from: SocketAddr, datagram: &[u8], rtcp: bool) {
        if let Some(known) = self.known.get_mut(leg.0 as usize) {
            known.insert(from);
        }
        if rtcp {
            return self.engine.handle_rtcp(self.now, leg, from, &mut datagram.to_vec());
        }
        let mut buffer = [datagram, &[0; 64]].concat();
        if let Some(forward) = self.engine.handle_packet(self.now, leg, from, &mut buffer, datagram.len()) {
            assert!(forward.start + forward.len <= buffer.len());
            self.sent_to(forward.leg, forward.to);
        }
    }

    /// RTCP goes beside RTP, or where that comes from.
    fn sent_to(&self, leg: MediaLegKey, to: SocketAddr) {
        let known = &self.known[leg.0 as usize];
        let beside =
            |known: &SocketAddr| known.ip() == to.ip() && known.port().checked_add(1) == Some(to.port());
        assert!(known.contains(&to) || known.iter().any(beside), "{leg} sends to {to}, and knows {known:?}");
    }

    /// Time goes on, a frame at most at once, for a worker is never asleep for longer.
    fn passes(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = until.min(self.now + Duration::from_millis(20));
            self.engine.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut sent = vec![];
        let mut outputs = 0;
        loop {
            match self.engine.poll_output() {
                Output::Transmit { leg, to, bytes, .. } => {
                    assert!(bytes.len() <= 1_500);
                    sent.push((leg, to));
                }
                Output::Event(Event::Closed { leg, stats }) => {
                    assert!(stats.rating.is_none_or(|rating| rating.r <= 100), "{leg} {stats:?}");
                }
                Output::Event(_) | Output::Recorded(_) => {}
                Output::Timeout(_) => break,
            }
            outputs += 1;
        }
        assert!(outputs <= MOST, "{outputs} outputs follow from one input");
        sent.into_iter().for_each(|(leg, to)| self.sent_to(leg, to));
    }
}

fn address(leg: u64, last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, (leg % 4) as u8 * 8 + last % 8], 4_000 + u16::from(last >> 5) * 2))
}

fn stream(remote: SocketAddr, how: u8, more: u8) -> Stream {
    let direction = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let (codec, number) = if how & 4 == 0 { (Codec::Pcma, 8) } else { (Codec::Pcmu, 0) };
    let event = (how & 8 == 0).then_some(101);
    Stream {
        remote: (how & 16 == 0).then_some(remote),
        remote_rtcp: None,
        rtcp_mux: how & 32 == 0,
        codec,
        send_payload_type: number,
        receive_payload_type: number,
        send_event: event,
        receive_event: event,
        tones: if event.is_some() { Tones::Never } else { Tones::Always },
        direction: direction[usize::from(how & 3)],
        ptime: 20,
        remote_holds: how & 64 != 0,
        rtcp_wanted: how & 128 == 0,
        wanted_reports: media::rtp::xr::Wanted { voip_metrics: more & 1 != 0, reference_time: more & 2 != 0 },
        keys: None,
        opus: media::codec::OpusParameters::default(),
        dtls: None,
    }
}

/// Any instant: from here on time is ours.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}
