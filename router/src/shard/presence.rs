//! Presence at work: Graph is asked, and whose presence says no is held back until it says yes again.
//!
//! What agents do here comes first. An agent who rings or talks is not touched; who is free is taken from the scheduler
//! as by a pause, with his wish and his place in the crew's books as they are, and comes back by himself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use rand::Rng;
use tracing::{info, warn};

use super::{Output, Shard, Switchboard};
use crate::{
    config::{AgentId, QueueId},
    journal::fact::{AgentState, What, Wish},
    metrics::PresenceNumbers,
    presence::{Answer, Asking, Changes, Known, News, ObjectId, Outcome, Verdict, Why},
    status::{AgentPresence, PresenceStatus, PresenceTrouble},
};

/// Agents held back who are named to one caller, at most.
const NAMED: usize = 8;

/// Presence, and who is held back by it.
#[derive(Default)]
pub(super) struct Presence {
    pub(super) asking: Asking,
    pub(super) known: Known,
    /// Agents who are ready and held back, by each of their queues.
    held_back: BTreeMap<QueueId, BTreeSet<AgentId>>,
}

impl Presence {
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.asking.deadline(), self.known.deadline()].into_iter().flatten().min()
    }
}

impl Shard {
    /// The configuration in force is another one.
    pub(super) fn set_presence(&mut self) {
        let board = &mut self.board;
        let (config, now) = (Arc::clone(&board.config), board.now);
        let ids: Vec<(AgentId, ObjectId)> =
            config.agents().filter_map(|(id, agent)| Some((id, agent.entra_id?))).collect();
        let asked_for = ids.iter().map(|(_, id)| *id).collect();
        board.presence.asking.set(now, config.graph.clone(), asked_for);
        let changes = board.presence.known.set(now, config.graph.clone(), &ids);
        board.take_over(changes);
        board.presence.held_back.clear();
        config.agents().for_each(|(agent, _)| board.note_held_back(agent));
    }

    /// What came of a request that [`Output::Graph`] asked for.
    pub(super) fn graph_answered(&mut self, number: u64, answer: Answer) {
        let (now, chance) = (self.board.now, self.board.random());
        let outcome = self.board.presence.asking.handle_answer(now, number, answer, chance);
        self.board.heard(outcome);
    }

    pub(super) fn presence_due(&mut self) {
        let (now, chance) = (self.board.now, self.board.random());
        let outcome = self.board.presence.asking.handle_timeout(now, chance);
        self.board.heard(outcome);
        let changes = self.board.presence.known.handle_timeout(now);
        self.board.take_over(changes);
    }
}

impl Switchboard {
    /// The next request, if it is time for one.
    pub(super) fn ask_graph(&mut self) {
        let random = &mut self.random;
        if let Some(ask) = self.presence.asking.poll_ask(self.now, || random.random()) {
            self.out.push_back(Output::Graph(ask));
        }
    }

    fn heard(&mut self, outcome: Outcome) {
        self.tell_operator(outcome.news);
        let Some(asked) = outcome.asked else { return };
        let (agents, instant) = (&self.agents, (self.now, self.at));
        let talks = |agent| agents.get(agent).is_some_and(|desk| desk.state == AgentState::Talking);
        let changes = self.presence.known.hear(instant, &asked, outcome.reports, talks);
        self.take_over(changes);
    }

    fn take_over(&mut self, changes: Changes) {
        if !changes.nameless.is_empty() {
            let agents = self.agent_names(&changes.nameless[..changes.nameless.len().min(NAMED)]);
            let count = changes.nameless.len();
            warn!(
                count,
                agents,
                "Graph says nothing of agents: see their entra_id, or whether the tenant hides their presence"
            );
        }
        for word in &changes.strange {
            info!(word, "Graph says a word that is not known here: presence.graph.offer_when may name it");
        }
        for (agent, verdict) in changes.verdicts {
            self.take_over_verdict(agent, &verdict);
        }
        for agent in changes.gone {
            self.hold_back(agent, false, "presence is not asked for any more");
        }
    }

    fn take_over_verdict(&mut self, agent: AgentId, verdict: &Verdict) {
        let (name, says) = (self.agent_name(agent), verdict.why.to_string());
        self.fact(None, What::Presence { agent: name, offered: verdict.offered, says });
        self.hold_back(agent, !verdict.offered, "presence");
    }

    fn hold_back(&mut self, agent: AgentId, held_back: bool, reason: &str) {
        self.change(agent, reason, |agents, _, at| agents.hold_back(agent, held_back, at));
        if held_back {
            self.let_down.extend(self.alone.of_agent(agent));
        }
        self.note_held_back(agent);
    }

    /// For the crews of his queues, and for those who ask why he was not rung.
    pub(super) fn note_held_back(&mut self, agent: AgentId) {
        let Some(desk) = self.agents.get(agent) else { return };
        let (wish, is_held) = (desk.effective_wish(), desk.held_back && desk.wish == Wish::Ready);
        self.counts_in_crews(agent, wish);
        let config = Arc::clone(&self.config);
        for own in config.agent(agent).iter().flat_map(|settings| &settings.queues) {
            let of_queue = self.presence.held_back.entry(own.queue).or_default();
            match is_held {
                true => of_queue.insert(agent),
                false => of_queue.remove(&agent),
            };
        }
    }

    /// Who would be there for a caller of `queue`, did his presence allow it; `None` if there is nobody.
    pub(crate) fn held_back(&self, queue: QueueId) -> Option<What> {
        let agents = self.presence.held_back.get(&queue).filter(|agents| !agents.is_empty())?;
        let rests = |agent: &&AgentId| {
            self.agents.get(**agent).is_some_and(|desk| desk.state == AgentState::NotReady)
        };
        let named = agents.iter().take(NAMED).filter(rests);
        let named = named.map(|agent| (self.agent_name(*agent), self.presence_says(*agent))).collect();
        let more = agents.len().saturating_sub(NAMED) as u32;
        Some(What::HeldBack { queue: self.queue_name(queue), agents: named, more })
    }

    /// In words, by what an agent is held back or not; empty if he is not asked for.
    pub(super) fn presence_says(&self, agent: AgentId) -> String {
        let verdict = self.presence.known.person(agent).and_then(|person| person.verdict());
        verdict.map(|verdict| verdict.why.to_string()).unwrap_or_default()
    }

    pub(super) fn agent_presence(&self, agent: AgentId) -> Option<AgentPresence> {
        let person = self.presence.known.person(agent)?;
        let verdict = person.verdict()?;
        Some(AgentPresence { says: verdict.why.to_string(), offered: verdict.offered, seen: person.seen() })
    }

    pub(super) fn presence_status(&self) -> Option<PresenceStatus> {
        self.config.graph.as_ref()?;
        let Presence { asking, known, .. } = &self.presence;
        let trouble = asking.trouble().map(|(trouble, since)| PresenceTrouble {
            what: trouble.to_string(),
            fault: trouble.fault().to_owned(),
            cure: trouble.cure(),
            since: self.clock.at(*since),
        });
        let offered =
            known.iter().filter(|(_, person)| person.verdict().is_some_and(|verdict| verdict.offered));
        Some(PresenceStatus {
            agents: known.iter().count() as u64,
            offered: offered.count() as u64,
            last_answer: asking.last_answer().map(|at| self.clock.at(at)),
            trouble,
        })
    }

    pub(super) fn presence_numbers(&self) -> Option<PresenceNumbers> {
        self.config.graph.as_ref()?;
        let Presence { asking, known, .. } = &self.presence;
        let mut numbers = PresenceNumbers {
            ok: asking.trouble().is_none() && asking.last_answer().is_some(),
            age: asking.last_answer().map(|at| self.now.saturating_duration_since(at)),
            requests: asking.counts().clone(),
            ..PresenceNumbers::default()
        };
        for verdict in known.iter().filter_map(|(_, person)| person.verdict()) {
            *match (&verdict.why, verdict.offered) {
                (Why::Says(_), true) => &mut numbers.known.0,
                (Why::Says(_), false) => &mut numbers.known.1,
                _ => &mut numbers.unknown,
            } += 1;
        }
        Some(numbers)
    }

    fn tell_operator(&self, news: Option<News>) {
        match news {
            None => {}
            Some(News::Fails(trouble)) => warn!(
                fault = trouble.fault(),
                cure = trouble.cure(),
                "presence is not known: {trouble}; calls go on, presence.graph.stale says who is given some"
            ),
            Some(News::Recovers(after)) => info!(?after, "presence is known again"),
            Some(News::BadId(id)) => {
                let agent = self.presence.known.agent(id).map(|agent| self.agent_name(agent));
                warn!(agent, %id, "Graph does not understand an agent's entra_id: write the object id that Entra shows");
            }
        }
    }
}
