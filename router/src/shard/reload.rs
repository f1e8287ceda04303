//! A new configuration comes into force: what has changed is done, and nothing else is touched.

use std::{collections::BTreeMap, sync::Arc};

use super::Shard;
use crate::{
    call::Input as CallInput,
    config::{AgentId, Config, Login, QueueId},
    journal::fact::{What, Wish},
    lines::Accepting,
    prompts::Prompts,
};

impl Shard {
    pub(super) fn reload(&mut self, config: Arc<Config>, prompts: Arc<Prompts>) {
        let difference = config.difference(&self.board.config);
        let before = std::mem::replace(&mut self.board.config, config);
        self.board.prompts = Arc::new(prompts.beside(&self.board.prompts));
        self.board.sip.set_urgent(self.board.config.urgent());
        self.board.sip.set_terms(self.board.config.terms());
        self.board.sip.set_own_names(self.board.config.own_names());
        self.board.sip.set_in_answers(self.board.config.in_answers());
        self.board.take_on_trunks();
        self.board.take_on_registrations();
        self.board.fact(None, What::ConfigLoaded { difference });
        self.take_on_agents(Some(&before), &BTreeMap::new());
        self.reset_phones(Some(&before));
        let config = Arc::clone(&self.board.config);
        self.board.estimates.retain(|queue| config.queue(queue).is_some());
        for queue in self.changed_queues(&before) {
            self.tell_queue(queue, || CallInput::QueueChanged);
        }
        self.give_up_callbacks_of_removed_queues();
        for queue in self.queues_with_news(&before) {
            self.tell_queue(queue, || CallInput::Announcement);
        }
    }

    /// Queues that were there before and are gone or set otherwise.
    fn changed_queues(&self, before: &Config) -> Vec<QueueId> {
        let after = &self.board.config;
        let differs = |(id, queue): (QueueId, _)| (after.queue(id) != Some(queue)).then_some(id);
        before.queues().filter_map(differs).collect()
    }

    /// Queues whose announcement has come, or has another sound.
    fn queues_with_news(&self, before: &Config) -> Vec<QueueId> {
        let after = &self.board.config;
        let news = after.queues().filter(|(id, queue)| {
            let said = before.queue(*id).and_then(|queue| before.prompt(queue.rules.announcement?));
            let says = queue.rules.announcement.and_then(|prompt| after.prompt(prompt));
            says.is_some() && says != said
        });
        news.map(|(id, _)| id).collect()
    }

    /// Agents who were not in the configuration `before` start with their wish of the last run, or as their `login`
    /// says; those who left it are logged out. Memberships follow the configuration.
    pub(super) fn take_on_agents(&mut self, before: Option<&Config>, wishes: &BTreeMap<String, Wish>) {
        let config = Arc::clone(&self.board.config);
        self.board.learn(&config);
        for agent in before.into_iter().flat_map(Config::agents).map(|(agent, _)| agent) {
            if config.agent(agent).is_none() {
                self.board.agent_wish(agent, Wish::LoggedOut, "removed from the configuration");
                self.board.agent_serves(agent, &[]);
            }
        }
        config.agents().for_each(|(agent, _)| self.board.agents.add(agent, self.board.at));
        self.set_presence(); // who is new is held back before he takes up work
        let (then, now) = (before.map(Accepting::by), Accepting::by(&config));
        let all = self.board.scheduler.lines();
        for (id, agent) in config.agents() {
            let known = before.and_then(|before| before.agent(id));
            let lines = now.served_alone_too(id, agent, all);
            let before = |(agent, then): (_, &Accepting)| then.served_alone_too(id, agent, all);
            if known.zip(then.as_ref()).map(before).as_ref() != Some(&lines) {
                self.board.agent_serves(id, &lines);
            }
            if known.is_none() {
                self.takes_up_work(id, agent.login, wishes.get(&agent.name).copied());
            }
        }
    }

    fn takes_up_work(&mut self, agent: AgentId, login: Login, wish: Option<Wish>) {
        self.board.is_to_be_reached(agent);
        let at_start = if login == Login::Manual { Wish::LoggedOut } else { Wish::Ready };
        self.board.agent_wish(agent, wish.unwrap_or(at_start), "start");
    }

    /// Tells everybody who waits in `queue`.
    pub(super) fn tell_queue(&mut self, queue: QueueId, input: impl Fn() -> CallInput) {
        let waiting: Vec<_> = self.calls.queued(queue).map(|call| call.key()).collect();
        for key in waiting {
            self.tell(key, input());
        }
    }
}
