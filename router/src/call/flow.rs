//! The flow: which step comes next, and what each step does.

use crate::{
    call::{
        Answered, Call, Stage, Waits, Why,
        dial::Dial,
        menu::{Menu, Verdict},
        voicemail::Voicemail,
    },
    config::{FlowId, Goto, HoursId, PromptId, QueueId, Step},
    journal::fact::{LeftQueue, Micros, What},
    media_command::play,
    shard::Switchboard,
};

/// Steps that may follow one another without waiting; `fernamt check` refuses flows that could come near it.
const MAX_HOPS: usize = 64;

/// Where in which flow a call is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    flow: Option<FlowId>,
    step: usize,
    detour: Option<Detour>,
}

/// What comes before the flow goes on.
#[derive(Debug, Clone, Copy)]
enum Detour {
    /// A queue that a menu or another step sent the caller to; then what follows that step.
    Queue(QueueId),
    /// Opening hours of the number or of a queue; when open, the step that they stand before.
    Hours(HoursId),
    /// Closed: a prompt, then elsewhere. `before_step`: the hours stood before the step, not in its place.
    /// `early`: the caller hears it without being answered.
    Closed { prompt: PromptId, then: Goto, before_step: bool, early: bool },
}

/// What a step said.
pub(super) enum Outcome {
    /// On to the next step.
    Next,
    /// The step waits for something; the call's stage says for what.
    Wait,
    /// Elsewhere.
    Jump(Goto),
    /// The position has changed; whatever is there now.
    Again,
}

impl Position {
    /// The first step of `flow`.
    pub(super) fn at(flow: FlowId) -> Position {
        Position { flow: Some(flow), ..Position::default() }
    }

    /// The same place behind opening hours.
    pub(super) fn behind(self, hours: Option<HoursId>) -> Position {
        Position { detour: hours.map(Detour::Hours), ..self }
    }

    fn advance(&mut self) {
        match self.detour.take() {
            Some(Detour::Hours(_) | Detour::Closed { before_step: true, .. }) => {}
            _ => self.step += 1,
        }
    }

    /// `to`, or where closed hours lead if their prompt was the step.
    fn onward(&self, to: Goto) -> Goto {
        match self.detour {
            Some(Detour::Closed { then, .. }) => then,
            _ => to,
        }
    }

    /// False if there is nowhere to go: hang up.
    fn jump(&mut self, to: Goto) -> bool {
        match to {
            Goto::Flow(flow) => *self = Position::at(flow),
            Goto::Queue(queue) => self.detour = Some(Detour::Queue(queue)),
            Goto::Next => self.advance(),
            Goto::Hangup => return false,
        }
        true
    }
}

impl Call {
    /// Runs the flow from the present step until a step waits or the flow is at its end.
    pub(super) fn run(&mut self, board: &mut Switchboard) {
        for _ in 0..MAX_HOPS {
            let Some(step) = self.current_step() else { return self.flow_ran_out(board) };
            let to = match self.take(step, board) {
                Outcome::Next => self.position.onward(Goto::Next),
                Outcome::Jump(to) => to,
                Outcome::Again => continue,
                Outcome::Wait => return,
            };
            if !self.position.jump(to) {
                return self.end(Why::flow_ended(), board);
            }
        }
        self.end(Why::internal(), board);
    }

    /// The present step is done: runs what follows it.
    pub(super) fn go_on(&mut self, board: &mut Switchboard) {
        self.go_to(Goto::Next, board);
    }

    /// The caller leaves the queue of the present step.
    pub(super) fn goes_out(&mut self, queue: QueueId, how: LeftQueue, board: &mut Switchboard) {
        if self.calling_back.is_some() {
            self.stage = Stage::InFlow(Waits::Nothing);
            return self.end(Why::flow_ended(), board); // nobody is there who could go anywhere
        }
        match self.way_out(queue, how, board) {
            Outcome::Jump(to) => self.go_to(to, board),
            Outcome::Again => {
                self.stage = Stage::InFlow(Waits::Nothing);
                self.run(board);
            }
            Outcome::Next | Outcome::Wait => self.go_on(board),
        }
    }

    /// Leaves the present step for `to`, or for where closed hours lead if their prompt was the step.
    pub(super) fn go_to(&mut self, to: Goto, board: &mut Switchboard) {
        self.stage = Stage::InFlow(Waits::Nothing); // what the step owed to others is settled, and settled once
        match self.position.jump(self.position.onward(to)) {
            true => self.run(board),
            false => self.end(Why::flow_ended(), board),
        }
    }

    fn current_step(&self) -> Option<Step> {
        match self.position.detour {
            Some(Detour::Queue(queue)) => return Some(Step::Queue { queue, early: false }),
            Some(Detour::Closed { prompt, early, .. }) => return Some(Step::Play { prompt, early }),
            Some(Detour::Hours(hours)) => {
                let found = self.config.hours(hours)?;
                return Some(Step::Hours { hours, closed_prompt: found.closed_prompt, closed: found.closed });
            }
            None => {}
        }
        let flow = self.config.flow(self.position.flow?)?;
        flow.steps.get(self.position.step).cloned()
    }

    fn take(&mut self, step: Step, board: &mut Switchboard) -> Outcome {
        match step {
            Step::Answer => self.before_sound(false, board).unwrap_or(Outcome::Next),
            Step::Language(language) => {
                self.language = Some(language);
                Outcome::Next
            }
            Step::Play { prompt, early } => self.play_step(prompt, early, board),
            step @ Step::Menu { .. } => {
                Menu::of(step).map_or(Outcome::Next, |menu| self.menu_step(menu, board))
            }
            Step::Queue { queue, early } => match self.before_sound(early, board) {
                Some(outcome) => outcome,
                None => self.enter_queue(queue, board),
            },
            step @ Step::Dial { .. } => Dial::of(step).map_or(Outcome::Next, |dial| self.dial(dial, board)),
            Step::Callback(callback) => self.callback_step(&callback, board),
            Step::Hours { hours, .. } if self.is_open(hours, board) => Outcome::Next,
            Step::Hours { closed_prompt, closed, .. } => self.closed_step(closed_prompt, closed, false),
            step @ Step::Voicemail { .. } => {
                Voicemail::of(step).map_or(Outcome::Next, |visit| self.voicemail_step(visit, board))
            }
            Step::Conference { name } => self.conference_step(name, board),
            Step::Record { policy } => self.record_step(policy, board),
            Step::Reject { status } => self.finish(Why::rejected(status), board),
            Step::Hangup => self.finish(Why::flow_ended(), board),
            Step::Goto(to) => Outcome::Jump(to),
        }
    }

    fn finish(&mut self, why: Why, board: &mut Switchboard) -> Outcome {
        self.end(why, board);
        Outcome::Wait
    }

    /// Sees to it that the caller can hear us. `None`: he can. Else what the step has to do meanwhile.
    pub(super) fn before_sound(&mut self, early: bool, board: &mut Switchboard) -> Option<Outcome> {
        match self.answered {
            Answered::Acknowledged => return None,
            Answered::Sent => {}
            _ if early => return self.early_sound(board),
            _ => self.answer_caller(board),
        }
        if !matches!(self.stage, Stage::Ended(_)) {
            self.stage = Stage::InFlow(Waits::Ack);
        }
        Some(Outcome::Wait)
    }

    /// Early sound needs the caller's offer; without one the step is passed over.
    fn early_sound(&mut self, board: &mut Switchboard) -> Option<Outcome> {
        let can_hear = self.open_early(board);
        match (&self.stage, can_hear) {
            (Stage::Ended(_), _) => Some(Outcome::Wait),
            (_, true) => None,
            (_, false) => Some(Outcome::Next),
        }
    }

    fn play_step(&mut self, prompt: PromptId, early: bool, board: &mut Switchboard) -> Outcome {
        if let Some(outcome) = self.before_sound(early, board) {
            return outcome;
        }
        match self.play_once(prompt, board) {
            Some(play) => {
                self.stage = Stage::InFlow(Waits::Prompt { play });
                Outcome::Wait
            }
            None => Outcome::Next,
        }
    }

    /// Starts a prompt for the caller. `None` if the prompt could not be loaded: an alarm was raised then.
    pub(super) fn play_once(&mut self, prompt: PromptId, board: &mut Switchboard) -> Option<u32> {
        let sound = board.prompts.get(prompt, self.language)?;
        let leg = self.caller().media_key()?;
        self.plays += 1;
        let name = sound.name().to_owned();
        board.media(play::once(leg, self.plays, sound));
        self.fact(What::PromptStarted { prompt: name }, board);
        Some(self.plays)
    }

    /// A prompt ran to its end.
    pub(super) fn played(&mut self, play: u32, board: &mut Switchboard) {
        if self.announced(play, board) {
            return;
        }
        if matches!(self.stage, Stage::InFlow(Waits::Voicemail(_))) {
            return self.voicemail_played(play, board);
        }
        let awaited = match &mut self.stage {
            Stage::InFlow(Waits::Prompt { play: awaited }) => *awaited == play,
            Stage::InFlow(Waits::Menu(menu)) => menu.played(play, board.now),
            _ => false,
        };
        if awaited {
            self.fact(What::PromptEnded { cut: false }, board);
        }
        if awaited && matches!(self.stage, Stage::InFlow(Waits::Prompt { .. })) {
            self.go_on(board);
        }
    }

    fn menu_step(&mut self, mut menu: Menu, board: &mut Switchboard) -> Outcome {
        if let Some(outcome) = self.before_sound(menu.is_early(), board) {
            return outcome;
        }
        let play = self.play_once(menu.prompt(), board);
        menu.begin(play, board.now);
        self.stage = Stage::InFlow(Waits::Menu(menu));
        Outcome::Wait
    }

    /// The caller pressed a key.
    pub(super) fn pressed(&mut self, key: char, board: &mut Switchboard) {
        if matches!(self.stage, Stage::InFlow(Waits::Voicemail(_))) {
            return self.pressed_in_voicemail(key, board);
        }
        if let Stage::InFlow(Waits::Menu(menu)) = &mut self.stage {
            let verdict = menu.pressed(key);
            let valid = matches!(verdict, Verdict::Go(_));
            self.note_cut_prompt(board);
            self.cut_prompt(board);
            self.fact(What::Chose { key: key.to_string(), valid }, board);
            return self.follow(verdict, board);
        }
        self.pressed_while_waiting(key, board);
    }

    /// The caller pressed nothing in time.
    pub(super) fn menu_timed_out(&mut self, board: &mut Switchboard) {
        if let Stage::InFlow(Waits::Menu(menu)) = &mut self.stage {
            let verdict = menu.timed_out();
            self.fact(What::Chose { key: String::new(), valid: false }, board);
            self.follow(verdict, board);
        }
    }

    fn follow(&mut self, verdict: Verdict, board: &mut Switchboard) {
        match verdict {
            Verdict::Go(to) => self.go_to(to, board),
            Verdict::Again => {
                let Stage::InFlow(Waits::Menu(menu)) = &self.stage else { return };
                let prompt = menu.prompt();
                let play = self.play_once(prompt, board);
                if let Stage::InFlow(Waits::Menu(menu)) = &mut self.stage {
                    menu.begin(play, board.now);
                }
            }
        }
    }

    /// Stops whatever the caller hears.
    pub(super) fn cut_prompt(&mut self, board: &mut Switchboard) {
        if let Some(leg) = self.caller().media_key() {
            board.media(media::Command::Stop { leg });
        }
    }

    /// Asks opening hours, on the record.
    pub(super) fn is_open(&self, hours: HoursId, board: &mut Switchboard) -> bool {
        let Some(found) = self.config.hours(hours) else { return true };
        let (open, name) = (found.at(timestamp(board.at)).is_open(), found.name.clone());
        self.fact(What::HoursChecked { hours: name, open }, board);
        open
    }

    /// A prompt, and then the step that stands here once more.
    pub(super) fn told_before_step(&mut self, prompt: PromptId) -> Outcome {
        self.position.detour =
            Some(Detour::Closed { prompt, then: Goto::Next, before_step: true, early: false });
        Outcome::Again
    }

    /// Closed: the prompt, if there is one, then elsewhere.
    pub(super) fn closed_step(&mut self, prompt: Option<PromptId>, then: Goto, early: bool) -> Outcome {
        let Some(prompt) = prompt else { return Outcome::Jump(then) };
        let before_step = matches!(self.position.detour, Some(Detour::Hours(_)));
        self.position.detour = Some(Detour::Closed { prompt, then, before_step, early });
        Outcome::Again
    }
}

pub(super) fn timestamp(at: Micros) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at).unwrap_or_default()
}
