//! What a story may ask of its world.

use media::Engine;
use router::{
    config::Config,
    journal::fact::{AgentState, Fact, What},
    record::{Record, Records},
    shard::Shard,
};
use scheduler::Scheduler;

use super::{World, sounds};
use crate::phone::{Phone, PhoneId, PhoneState};

impl World {
    /// All facts so far.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What happened, without dates.
    pub fn happened(&self) -> impl Iterator<Item = &What> {
        self.facts.iter().map(|fact| &fact.what)
    }

    /// What is in a recording that was finished and kept; `file` as facts name it.
    pub fn recording(&self, file: &str) -> Option<&[i16]> {
        self.recordings.kept(file)
    }

    /// What was noted beside its sound.
    pub fn recording_notes(&self, file: &str) -> &[media::Note] {
        self.recordings.notes(file)
    }

    /// Recordings that were kept.
    pub fn recordings(&self) -> usize {
        self.recordings.len()
    }

    /// The records of all calls that are over, in the order of their ends.
    pub fn records(&self) -> Vec<Record> {
        let mut live = Records::default();
        self.facts.iter().filter_map(|fact| live.apply(fact)).collect()
    }

    /// An agent's state.
    pub fn agent_state(&self, agent: &str) -> AgentState {
        let (id, _) = self
            .config
            .agents()
            .find(|(_, known)| known.name == agent)
            .expect("an agent of the configuration");
        self.shard.agents().get(id).expect("a known agent").state
    }

    /// Callers who wait in a queue.
    pub fn waiting(&self, queue: &str) -> u32 {
        let (id, _) = self
            .config
            .queues()
            .find(|(_, known)| known.name == queue)
            .expect("a queue of the configuration");
        self.shard.waiting(id)
    }

    /// Which of the tones a telephone with a tone of its own has heard in the last 200 ms; several at once if they were
    /// mixed.
    pub fn hears_tones(&self, listener: PhoneId, tones: &[u16]) -> Vec<u16> {
        let Some(samples) = self.at(listener).listened(200) else { return Vec::new() };
        let is_heard = |hz: &u16| media::tone::level_at(&samples, f32::from(*hz)) > -16.0;
        tones.iter().copied().filter(is_heard).collect()
    }

    /// The byte that a prompt's packets carry, so that a story can tell what a telephone heard.
    pub fn voice_of(&self, prompt: &str) -> u8 {
        sounds::voice_of(prompt)
    }

    /// Did this telephone hear that one?
    pub fn heard(&self, listener: PhoneId, speaker: PhoneId) -> bool {
        self.at(listener).heard.contains_key(&self.at(speaker).voice())
    }

    /// State of a telephone.
    pub fn state(&self, phone: PhoneId) -> PhoneState {
        self.at(phone).state
    }

    /// The router's decisions.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The router's sound.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who answers whom.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All telephones.
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    /// The router's ports that carry sound now.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.ports_by_leg.values().copied().collect();
        ports.sort_unstable();
        ports
    }

    /// Ports that are neither free nor in hand.
    pub fn ports_in_use(&self) -> usize {
        self.legs_by_port.len()
    }

    /// The last SIP messages, oldest first, for a story that failed.
    pub fn ladder(&self) -> String {
        let lines: Vec<&str> = self.ladder.iter().map(String::as_str).collect();
        format!("seed {}, turn {}\n{}", self.seed, self.turns, lines.join("\n"))
    }
}
