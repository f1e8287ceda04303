//! The router dies, or is ended, and is started again: what it knows then is what its journal tells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Engine, Identity, PortPool};
use rand::{Rng, rngs::SmallRng};
use router::{
    callers::{Callers, Met},
    clock::Clock,
    config::Config,
    journal::{
        Ledger,
        fact::{Cause, Fact, Micros, What},
    },
    record::Record,
    shard::{Parts, Shard},
};
use scheduler::{Capacity, Scheduler};
use sip_core::{Endpoint, Settings};

use super::{MORNING, World, sounds::prompts};

impl World {
    /// `kill -9`, and a start after so long. Telephones find their calls gone and hang up.
    pub fn crashes_for(&mut self, down: Duration) {
        let mut ledger = self.ledger();
        let ends = ledger.records.ends_after_a_crash(ledger.last_at, self.config.generation);
        self.journal(ends, &mut ledger);
        self.starts_again_after(down, ledger);
    }

    /// An end in order, all calls cut off if there are any, and a start after so long.
    pub fn is_ended_for(&mut self, down: Duration) {
        self.shut_down();
        self.run_for(Duration::from_millis(10));
        let ledger = self.ledger();
        self.starts_again_after(down, ledger);
    }

    fn starts_again_after(&mut self, down: Duration, mut ledger: Ledger) {
        self.now += down;
        let at = self.date();
        let started = What::Started { version: "world".to_owned() };
        let fact = Fact { seq: 0, at, call: None, generation: self.config.generation, what: started };
        self.journal(vec![fact], &mut ledger);
        let met: Vec<Met> = self.records().iter().filter_map(met).collect();
        let mut callers = Callers::default();
        callers.recall(&met, &self.config);
        (self.shard, self.scheduler) = shard(&self.config, (self.now, at), &mut self.random, ledger, callers);
        self.engine = engine(&self.config, self.now, &mut self.random);
        self.pool = PortPool::new(self.config.media.ports.clone(), self.config.media.quarantine);
        self.legs_by_port.clear();
        self.ports_by_leg.clear();
        (self.shard_timeout, self.engine_timeout) = (None, None);
        self.net.lose_all(); // what was sent to a call that is gone, and would ring a telephone for ever
        for phone in &mut self.phones {
            phone.finds_its_calls_gone(self.random.random());
        }
        self.drain_shard();
    }

    fn date(&self) -> Micros {
        MORNING + i64::try_from(self.elapsed().as_micros()).expect("a story of less than a million years")
    }

    /// All facts so far, as the journal adds them up.
    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for fact in &self.facts {
            ledger.apply(&Fact { seq: ledger.last_seq + 1, ..fact.clone() });
        }
        ledger
    }

    fn journal(&mut self, facts: Vec<Fact>, ledger: &mut Ledger) {
        for fact in facts {
            ledger.apply(&Fact { seq: ledger.last_seq + 1, ..fact.clone() });
            self.facts.push(fact);
        }
    }
}

/// A router's decisions at their beginning, with what the journal tells.
pub(super) fn shard(
    config: &Arc<Config>,
    (now, at): (Instant, Micros),
    random: &mut SmallRng,
    ledger: Ledger,
    callers: Callers,
) -> (Shard, Arc<Scheduler>) {
    let capacity = Capacity { callers: config.limits.max_calls, agents: 64, lines: 512, memberships: 64 };
    let scheduler = Arc::new(Scheduler::new(capacity));
    let settings = Settings::new(random.random(), config.listen.sip.clone());
    let parts = Parts {
        owner: 0,
        seed: random.random(),
        clock: Clock::new(now, at),
        run: at,
        sip: Endpoint::new(settings),
        scheduler: Arc::clone(&scheduler),
        prompts: Arc::new(prompts(config)),
        config: Arc::clone(config),
        wishes: ledger.wishes,
        closed: ledger.closed,
        sums: ledger.sums,
        callers,
        lost_places: ledger.lost_places,
        callbacks: ledger.callbacks,
        identity: Identity::generate().expect("a system with randomness"),
    };
    (Shard::new(parts, now), scheduler)
}

/// Its sound.
pub(super) fn engine(config: &Config, now: Instant, random: &mut SmallRng) -> Engine {
    let unix_origin = Duration::from_micros(MORNING.unsigned_abs());
    let silence_timeout = config.media.silence_timeout;
    Engine::new(media::Settings {
        silence_timeout,
        ..media::Settings::new(now, unix_origin, random.random())
    })
}

/// What the journal's records say of a caller.
fn met(record: &Record) -> Option<Met> {
    let abandoned = record.cause == Some(Cause::Abandoned);
    let says_something = !record.from.is_empty() && (abandoned || record.agent.is_some());
    says_something.then(|| Met {
        from: record.from.clone(),
        queue: record.queue.clone(),
        agent: record.agent.clone(),
        ended_at: record.ended_at.unwrap_or_default(),
        abandoned,
    })
}
