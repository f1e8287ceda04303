//! The world: one router, telephones, a network, and a clock that nobody waits for.

mod graph;
mod operator;
mod questions;
mod recordings;
mod restart;
mod sounds;
mod telephones;
mod toil;
mod turn;
mod zone;

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use media::{Engine, MediaLegKey, PortPool};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use router::{
    callers::Callers,
    config::{self, Config, Names, Surroundings},
    journal::{
        Ledger,
        fact::{Fact, Micros},
    },
    shard::Shard,
};
use scheduler::Scheduler;
use sip_core::Message;

use crate::{
    check,
    net::{Datagram, Link, Net},
    phone::{Phone, sound_of},
};

pub use graph::Fares;
pub use toil::Cost;
pub use zone::TTL;

type Answers = Box<dyn FnMut(&Message) -> Vec<(Duration, Bytes)>>;

/// A peer that no telephone would be: for each message it says what it sends, and when.
struct Script {
    address: SocketAddr,
    answers: Answers,
}

/// One second, for stories.
pub const SECOND: Duration = Duration::from_secs(1);
/// One millisecond, for stories.
pub const MILLISECOND: Duration = Duration::from_millis(1);
/// Where the router takes SIP, in every world.
pub const ROUTER: &str = "10.0.0.1:5060";
/// UTC of the first instant: Wednesday, 25 November 2026, 08:00.
pub const MORNING: Micros = 1_795_593_600_000_000;
/// No story takes longer; a world that is not silent by then never will be.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Ports the router keeps in hand.
const STOCK: usize = 8;

/// A router and telephones in virtual time.
pub struct World {
    now: Instant,
    start: Instant,
    seed: u64,
    random: SmallRng,
    net: Net,
    router: SocketAddr,
    names: Names,
    shard: Shard,
    shard_timeout: Option<Instant>,
    scheduler: Arc<Scheduler>,
    config: Arc<Config>,
    engine: Engine,
    engine_timeout: Option<Instant>,
    media: IpAddr,
    pool: PortPool,
    legs_by_port: HashMap<u16, MediaLegKey>,
    ports_by_leg: HashMap<MediaLegKey, u16>,
    phones: Vec<Phone>,
    scripts: Vec<Script>,
    rtp_gap: Duration,
    recordings: recordings::Recordings,
    graph: graph::Graph,
    zone: zone::Zone,
    facts: Vec<Fact>,
    ladder: VecDeque<String>,
    turns: u64,
    /// The router takes its time, if it does.
    toil: Option<toil::Toil>,
    /// Messages sent and legs opened by the router so far.
    work: (u32, u32),
}

impl World {
    /// A world with this seed and configuration: the same story every time.
    pub fn new(seed: u64, config: &str) -> World {
        let mut random = SmallRng::seed_from_u64(seed);
        #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
        let now = Instant::now();
        let mut names = Names::default();
        let config = Arc::new(read_config(config, &mut names));
        let beginning = (now, MORNING);
        let (shard, scheduler) =
            restart::shard(&config, beginning, &mut random, Ledger::default(), Callers::default());
        let engine = restart::engine(&config, now, &mut random);
        let mut world = World {
            now,
            start: now,
            seed,
            net: Net::new(Link::perfect(), SmallRng::seed_from_u64(random.random())),
            random,
            router: ROUTER.parse().expect("an address"),
            names,
            shard,
            shard_timeout: None,
            scheduler,
            media: config.media.address,
            pool: PortPool::new(config.media.ports.clone(), config.media.quarantine),
            config,
            engine,
            engine_timeout: None,
            legs_by_port: HashMap::new(),
            ports_by_leg: HashMap::new(),
            phones: Vec::new(),
            scripts: Vec::new(),
            rtp_gap: Duration::from_millis(20),
            recordings: recordings::Recordings::default(),
            graph: graph::Graph::default(),
            zone: zone::Zone::default(),
            facts: Vec::new(),
            ladder: VecDeque::new(),
            turns: 0,
            toil: None,
            work: (0, 0),
        };
        world.drain_shard();
        world
    }

    /// From now on the router's work costs time, and what comes meanwhile waits.
    pub fn takes_time(&mut self, cost: Cost) {
        self.toil = Some(toil::Toil::new(cost, self.config.limits.max_lag, self.now));
    }

    /// Messages that wait for the router.
    pub fn backlog(&self) -> usize {
        self.toil.as_ref().map_or(0, |toil| toil.backlog.len())
    }

    /// How datagrams travel from now on.
    pub fn link(mut self, link: Link) -> World {
        self.net.set_link(link);
        self
    }

    /// Telephones send a packet this often, instead of every 20 ms: for long or many stories.
    pub fn rtp_every(mut self, gap: Duration) -> World {
        self.rtp_gap = gap;
        self
    }

    /// Loses every datagram of which `lost` says so.
    pub fn lose_if(&mut self, lost: impl FnMut(&Datagram) -> bool + 'static) {
        self.net.lose_if(Box::new(lost));
    }

    /// Loses the first datagram whose start line begins like this, in whichever direction.
    pub fn lose_first(&mut self, start: &'static str) {
        let mut done = false;
        self.lose_if(move |datagram| {
            let hit = !done && datagram.is_sip() && datagram.start_line().starts_with(start);
            done |= hit;
            hit
        });
    }

    /// Sends a datagram as it is, from wherever.
    pub fn inject(&mut self, from: &str, bytes: &[u8]) {
        let from = from.parse().expect("an address");
        let datagram = Datagram { from, to: self.router, bytes: Bytes::copy_from_slice(bytes) };
        self.net.send(self.now, datagram);
    }

    /// Something that the media worker said a while ago reaches the shard only now: here they share a thread, in the
    /// product they do not.
    pub fn hears_of_media_late(&mut self, event: media::Event) {
        self.shard.handle_input(self.now, router::shard::Input::Media(event));
    }

    /// Sends an RTP packet of this speaker from wherever to the router's `port`.
    pub fn inject_sound(&mut self, from: &str, port: u16, voice: u8) {
        let (from, to) = (from.parse().expect("an address"), SocketAddr::new(self.media, port));
        self.net.send(self.now, Datagram { from, to, bytes: sound_of(voice) });
    }

    /// Time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
    }

    /// Runs until a condition holds; fails the story after `limit`.
    pub fn run_until(&mut self, limit: Duration, mut holds: impl FnMut(&World) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            match self.next_at().filter(|at| *at <= end) {
                Some(at) => self.step(at),
                None => panic!("did not happen within {limit:?}\n{}", self.ladder()),
            }
        }
    }

    /// Runs until nothing moves any more: no datagram, no timer, no call.
    pub fn run_until_silent(&mut self) -> &mut World {
        while let Some(at) = self.next_at() {
            assert!(self.elapsed() < LONGEST, "never silent\n{}", self.ladder());
            self.step(at);
        }
        self
    }

    /// Nothing outlived its end, and the sums add up (design §1).
    pub fn assert_nothing_left(&self) {
        let mut left = check::sums(&self.facts);
        left.extend(check::records(&self.facts));
        left.extend(check::left_over(self));
        assert!(left.is_empty(), "seed {}: {left:#?}\n{}", self.seed, self.ladder());
    }
}

fn read_config(text: &str, names: &mut Names) -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    config::parse(text, "story.toml", folder, names, &Surroundings::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}
