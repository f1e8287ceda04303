//! Steps in words, as `fernamt check` and the log tell them.

use super::units::written;
use super::{Config, Destination, Goto, HoursId, PromptId, QueueId, Step};

impl Config {
    /// A step in words: `play prompts/welcome.wav`, `menu prompts/menu.wav: 1 queue.support, otherwise hang up`.
    pub fn step_in_words(&self, step: &Step) -> String {
        match step {
            Step::Answer => "answer".to_owned(),
            Step::Language(language) => format!("speak {language}"),
            Step::Play { prompt, early } => {
                format!("play {}{}", self.prompt_name(*prompt), unanswered(*early))
            }
            Step::Menu { prompt, keys, otherwise, tries, early, .. } => {
                let keys: Vec<String> =
                    keys.iter().map(|(key, goto)| format!("{key} {}", self.goto_in_words(*goto))).collect();
                let (keys, prompt, early) = (keys.join(", "), self.prompt_name(*prompt), unanswered(*early));
                let otherwise = self.goto_in_words(*otherwise);
                format!("menu {prompt}{early}: {keys}; after {tries} tries {otherwise}")
            }
            Step::Queue { queue, early } => {
                format!("wait in queue.{}{}", self.queue_name(*queue), unanswered(*early))
            }
            Step::Dial { address, ring_timeout, .. } => {
                format!("dial {} for {}", self.written(address), written(*ring_timeout))
            }
            Step::Callback(callback) => format!(
                "call back at {} from queue.{} for {}; if not possible {}",
                self.written(&callback.dial),
                self.queue_name(callback.queue),
                written(callback.expires),
                self.goto_in_words(callback.otherwise)
            ),
            Step::Hours { hours, .. } => format!("hours.{}", self.hours_name(*hours)),
            Step::Voicemail { mailbox, greeting, max, silence } => {
                let greeting = greeting.map(|id| format!(", greeting {}", self.prompt_name(id)));
                let silence = silence.map(|silence| format!(" or {} of silence", written(silence)));
                let (greeting, silence) = (greeting.unwrap_or_default(), silence.unwrap_or_default());
                format!("record a message for {mailbox}{greeting}, until #, {}{silence}", written(*max))
            }
            Step::Conference { name } => format!("conference {name}"),
            Step::Record { policy } => format!("record by recording.{}", policy.name),
            Step::Reject { status } => format!("refuse with {status}"),
            Step::Hangup => "hang up".to_owned(),
            Step::Goto(goto) => format!("go to {}", self.goto_in_words(*goto)),
        }
    }

    /// Where a call goes on, in words: `flow.closed`, `queue.support`, `the next step`, `hang up`.
    pub fn goto_in_words(&self, goto: Goto) -> String {
        match goto {
            Goto::Flow(id) => format!("flow.{}", self.flow(id).map_or("?", |flow| &flow.name)),
            Goto::Queue(id) => format!("queue.{}", self.queue_name(id)),
            Goto::Next => "the next step".to_owned(),
            Goto::Hangup => "hang up".to_owned(),
        }
    }

    /// Whom a transfer target means, in words: `queue.sales`, `agent.bo`, `{called}@carrier`.
    pub fn destination_in_words(&self, destination: &Destination) -> String {
        match destination {
            Destination::Goto(goto) => self.goto_in_words(*goto),
            Destination::Agent(id) => format!("agent.{}", self.agent(*id).map_or("?", |agent| &agent.name)),
            Destination::Address(address) => self.written(address),
        }
    }

    fn prompt_name(&self, id: PromptId) -> &str {
        self.prompt(id).map_or("?", |prompt| &prompt.name)
    }

    fn queue_name(&self, id: QueueId) -> &str {
        self.queue(id).map_or("?", |queue| &queue.name)
    }

    fn hours_name(&self, id: HoursId) -> &str {
        self.hours(id).map_or("?", |hours| &hours.name)
    }
}

fn unanswered(early: bool) -> &'static str {
    if early { " without answering" } else { "" }
}
