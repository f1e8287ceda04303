//! The stage: telephones at the carrier, Teams and Graph, all on one thread; what is awaited, and for how long.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::driver::Floor,
    house::{self, FQDN, GRAPH, PLACE, TELEPHONES},
};
use crate::{
    graph::GraphSim,
    phone::{Behaviour, Deed, Phone, PhoneState},
    teams::TeamsSim,
    tone::{Tone, only_voice},
};

/// Ears are examined, and the router is asked, this often.
const GLANCE: Duration = Duration::from_millis(50);
/// Where telephones take sound, each at its own address.
const SOUND_PORT: u16 = 20_000;

/// Everybody but the router.
pub(super) struct Stage {
    pub(super) floor: Floor,
    pub(super) teams: TeamsSim,
    pub(super) graph: GraphSim,
    /// Things that were to come about and did not.
    pub(super) troubles: Vec<String>,
    voices: Vec<u16>,
}

impl Stage {
    /// Opens all addresses.
    pub(super) fn open(config: &Path, router: SocketAddr) -> Result<Stage, String> {
        let people = house::people();
        let voices = people.iter().map(|person| person.hz).chain(TELEPHONES.map(|(_, _, hz)| hz)).collect();
        let graph = GraphSim::start(GRAPH).map_err(|error| format!("{GRAPH}: {error}"))?;
        people.iter().for_each(|person| graph.says(&person.id, "Available", "Available"));
        let papers = house::papers(config)?;
        let teams = TeamsSim::open(PLACE, &papers, FQDN, people).map_err(|error| error.to_string())?;
        let phone = |(number, ip, hz): (&str, [u8; 4], u16)| {
            let mut phone = Phone::new(number, SocketAddr::from((ip, 5_060)), router, 0, rand::random());
            phone.behaviour = Behaviour::Answers(Duration::from_millis(300));
            phone.set_tone(Tone::new(hz));
            phone.set_sound_port(SOUND_PORT);
            phone
        };
        let floor =
            Floor::open(TELEPHONES.into_iter().map(phone).collect()).map_err(|error| error.to_string())?;
        Ok(Stage { floor, teams, graph, troubles: Vec::new(), voices })
    }

    /// Whatever arrives or is due next.
    pub(super) async fn turn(&mut self) {
        let until = self.floor.now() + GLANCE;
        tokio::select! {
            _ = self.floor.turn(until) => {}
            () = self.teams.turn(until) => {}
        }
    }

    /// So long everybody goes on.
    pub(super) async fn pass(&mut self, time: Duration) {
        let end = self.floor.now() + time;
        while self.floor.now() < end {
            self.turn().await;
        }
    }

    /// Waits until something is so, and says so; a trouble if it does not come about in time.
    pub(super) async fn sees(&mut self, what: &str, seconds: u64, holds: impl Fn(&Stage) -> bool) -> bool {
        let end = self.floor.now() + Duration::from_secs(seconds);
        while !holds(self) {
            if self.floor.now() >= end {
                self.says(&format!("NOT: {what}"));
                self.troubles.push(format!("did not come about in {seconds} s: {what}"));
                return false;
            }
            self.turn().await;
        }
        self.says(what);
        true
    }

    /// One line of the story.
    pub(super) fn says(&self, what: &str) {
        println!("{:8.3}  {what}", self.floor.elapsed().as_secs_f64());
    }

    pub(super) fn now(&self) -> Instant {
        self.floor.now()
    }

    /// The telephone calls.
    pub(super) fn dials(&mut self, phone: usize, called: &str) {
        let now = self.now();
        let deed = Deed::Dial { called: called.to_owned(), offer: true };
        self.floor.phones[phone].plan(now, deed);
        self.says(&format!("{} calls {called}", TELEPHONES[phone].0));
    }

    pub(super) fn hangs_up(&mut self, phone: usize) {
        let now = self.now();
        self.floor.phones[phone].plan(now, Deed::HangUp);
    }

    /// Whose voice alone a telephone hears.
    pub(super) fn hears(&self, phone: usize) -> Option<u16> {
        only_voice(&self.floor.phones[phone].listened(200)?, &self.voices)
    }

    /// Both hear each other and nobody else: a telephone and somebody in Teams.
    pub(super) fn talk(&self, phone: usize, person: usize) -> bool {
        let (theirs, own) = (self.teams.proxy.people[person].hz, TELEPHONES[phone].2);
        self.hears(phone) == Some(theirs) && self.teams.proxy.hears(person, &self.voices) == Some(own)
    }

    /// The telephone has no call.
    pub(super) fn is_free(&self, phone: usize) -> bool {
        matches!(self.floor.phones[phone].state, PhoneState::Idle | PhoneState::Ended | PhoneState::Failed(_))
    }

    /// Nobody is in a call.
    pub(super) fn is_quiet(&self) -> bool {
        (0..TELEPHONES.len()).all(|phone| self.is_free(phone)) && self.teams.proxy.has_no_calls()
    }

    /// The telephone is in a call that was answered, and hears something.
    pub(super) fn is_on_line(&self, phone: usize) -> bool {
        self.floor.phones[phone].state == PhoneState::Talking
            && self.floor.phones[phone].listened(200).is_some()
    }

    /// Something that must be so now.
    pub(super) fn holds(&mut self, what: &str, holds: bool) {
        if !holds {
            self.troubles.push(format!("is not so: {what}"));
        }
        self.says(&format!("{}{what}", if holds { "" } else { "NOT: " }));
    }
}
