//! The recording of a call: when it begins, whom it stays with, and what keys and operators make of it.
//!
//! The engine records what the caller's leg hears and sends, so hold, transfer and codecs change nothing there. Here is
//! decided whether, and it is written down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Command, RecordingEnd, Sides, Title};

use super::{
    Call, Stage, Why,
    flow::{Outcome, timestamp},
};
use crate::{
    clock::millis,
    config::{AgentId, RecordingPolicy},
    journal::fact::{LegNumber, RecordingStep, What},
    media_command::play,
    recording::{About, ENCRYPTED, RecordingOrder, RecordingRefusal},
    shard::Switchboard,
};

/// The second of two keys comes within so long after the first.
const KEYS_WITHIN: Duration = Duration::from_secs(2);

/// What a call knows of its recording.
#[derive(Default)]
pub(super) struct Recording {
    state: State,
    /// What the number or the last `record` step names.
    pub(super) named: Option<Arc<RecordingPolicy>>,
    /// The announcement of that step has been heard.
    is_announced: bool,
    /// Recordings begun so far: the last part of their names.
    begun: u16,
    /// The last key of an agent.
    key: Option<(LegNumber, char, Instant)>,
}

#[derive(Default)]
enum State {
    #[default]
    Off,
    /// The announcement is heard; then it begins.
    Announced {
        policy: Arc<RecordingPolicy>,
        by: String,
        until: Instant,
    },
    On(Running),
}

struct Running {
    policy: Arc<RecordingPolicy>,
    file: String,
    since: Instant,
    is_paused: bool,
    tone_at: Option<Instant>,
}

impl Recording {
    fn running(&self) -> Option<&Running> {
        match &self.state {
            State::On(running) => Some(running),
            State::Off | State::Announced { .. } => None,
        }
    }

    fn policy(&self) -> Option<&Arc<RecordingPolicy>> {
        match &self.state {
            State::On(Running { policy, .. }) | State::Announced { policy, .. } => Some(policy),
            State::Off => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Announced { until, .. } => Some(*until),
            State::On(running) => running.tone_at,
            State::Off => None,
        }
    }
}

/// Beginning.
impl Call {
    /// Two have been connected: what is named for one of them begins.
    pub(super) fn record_talk(&mut self, board: &mut Switchboard) {
        self.mark_who_is_heard(board);
        if self.recording.policy().is_some() {
            return;
        }
        if let Some(policy) = self.recording_policy(board).filter(|policy| policy.always) {
            self.begin_recording(policy, "policy", board);
        }
    }

    /// What is named for this talk: the agent's, the queue's, the flow's or number's, the trunks'.
    fn recording_policy(&self, board: &Switchboard) -> Option<Arc<RecordingPolicy>> {
        let Stage::Talking(talk) = &self.stage else { return self.recording.named.clone() };
        let (seat, other) = (self.leg(self.seat)?, self.leg(talk.leg())?);
        let agent = |agent: Option<AgentId>| board.config.agent(agent?)?.recording.clone();
        let agents = [talk.agent(), other.agent, seat.agent].into_iter().find_map(agent);
        let queue = || board.config.queue(talk.queue()?)?.recording.clone();
        let trunk = |leg: &super::Leg| board.config.trunk(leg.trunk?)?.recording.clone();
        agents
            .or_else(queue)
            .or_else(|| self.recording.named.clone())
            .or_else(|| trunk(seat))
            .or_else(|| trunk(other))
    }

    fn begin_recording(&mut self, policy: Arc<RecordingPolicy>, by: &str, board: &mut Switchboard) {
        if self.cannot_be_recorded(&policy, board) {
            return;
        }
        let prompt = policy.announcement.filter(|_| matches!(self.stage, Stage::Talking(_)));
        let Some(prompt) = prompt.and_then(|id| board.prompts.get(id, self.language)) else {
            return self.start_recording(policy, by, board);
        };
        let step = RecordingStep::Announced { policy: policy.name.clone(), prompt: prompt.name().to_owned() };
        self.fact(What::Recording(step), board);
        let until = board.now + prompt.duration();
        self.both_hear(&prompt, board);
        self.recording.state = State::Announced { policy, by: by.to_owned(), until };
    }

    /// The folder cannot be written: that is on record, and if the policy says so it is the end of the call. Whoever calls
    /// for help is helped.
    fn cannot_be_recorded(&mut self, policy: &RecordingPolicy, board: &mut Switchboard) -> bool {
        let Some(why) = board.recorder_trouble.clone() else { return false };
        self.fact(What::Recording(RecordingStep::Failed { file: None, why }), board);
        if policy.required && !self.is_emergency {
            self.end(Why::unrecorded(&policy.name), board);
        }
        true
    }

    fn start_recording(&mut self, policy: Arc<RecordingPolicy>, by: &str, board: &mut Switchboard) {
        let Some(leg) = self.caller().media_key() else { return };
        self.recording.begun += 1;
        let began = timestamp(board.at).strftime("%Y%m%dT%H%M%SZ");
        let name = format!("{began}-{}-{}", self.id, self.recording.begun);
        let recordings = &board.config.recordings;
        let ending = if recordings.recipients.is_empty() { "" } else { ENCRYPTED };
        let file = format!("{name}.wav{ending}");
        let about = About {
            call: self.id,
            policy: policy.name.clone(),
            began: board.at,
            keep_ms: millis(policy.keep),
        };
        let title = Arc::new(Title { name, sides: Sides::Both, about: about.to_json() });
        board.media(Command::Record { leg, title, quiet: None });
        let began = RecordingStep::Began {
            policy: policy.name.clone(),
            file: file.clone(),
            by: by.to_owned(),
            tone_ms: policy.tone_every.map(millis),
        };
        self.fact(What::Recording(began), board);
        let tone_at = policy.tone_every.map(|every| board.now + every);
        self.recording.state =
            State::On(Running { policy, file, since: board.now, is_paused: false, tone_at });
        self.mark_who_is_heard(board);
    }

    /// The `record` step.
    pub(super) fn record_step(&mut self, policy: Arc<RecordingPolicy>, board: &mut Switchboard) -> Outcome {
        if let Some(outcome) = self.before_sound(false, board) {
            return outcome;
        }
        self.recording.named = Some(Arc::clone(&policy));
        if !policy.always || self.recording.policy().is_some() {
            return Outcome::Next;
        }
        match policy.announcement {
            Some(prompt) if !std::mem::replace(&mut self.recording.is_announced, true) => {
                if let Some(sound) = board.prompts.get(prompt, self.language) {
                    let prompt = sound.name().to_owned();
                    let step = RecordingStep::Announced { policy: policy.name.clone(), prompt };
                    self.fact(What::Recording(step), board);
                }
                return self.told_before_step(prompt);
            }
            _ => self.recording.is_announced = false,
        }
        if !self.cannot_be_recorded(&policy, board) {
            self.start_recording(policy, "step", board);
        }
        if matches!(self.stage, Stage::Ended(_)) { Outcome::Wait } else { Outcome::Next }
    }
}

/// Going on, and ending.
impl Call {
    /// The announcement has been heard, or it is time for the tone.
    pub(super) fn recording_due(&mut self, board: &mut Switchboard) {
        match &mut self.recording.state {
            State::Announced { policy, by, until } if *until <= board.now => {
                let (policy, by) = (Arc::clone(policy), std::mem::take(by));
                self.recording.state = State::Off;
                self.start_recording(policy, &by, board);
            }
            State::On(Running { policy, tone_at, is_paused, .. })
                if tone_at.is_some_and(|at| at <= board.now) =>
            {
                *tone_at = policy.tone_every.map(|every| board.now + every);
                if !*is_paused {
                    self.sound_tone(board);
                }
            }
            State::Announced { .. } | State::On(_) | State::Off => {}
        }
    }

    /// Those who talk hear that they are recorded. Whoever is on hold hears his music.
    fn sound_tone(&mut self, board: &mut Switchboard) {
        let holds = |number| self.leg(number).is_some_and(|leg| leg.holds);
        let Stage::Talking(talk) = &self.stage else { return };
        if !holds(self.seat) && !holds(talk.leg()) {
            let tone = board.prompts.recording_tone();
            self.both_hear(&tone, board);
        }
    }

    fn both_hear(&mut self, prompt: &Arc<media::Prompt>, board: &mut Switchboard) {
        let Stage::Talking(talk) = &self.stage else { return };
        for number in [self.seat, talk.leg()] {
            if let Some(leg) = self.leg(number).and_then(super::Leg::media_key) {
                self.plays += 1;
                board.media(play::once(leg, self.plays, Arc::clone(prompt)));
            }
        }
    }

    /// Whom the caller hears from now on, by role: for the manifest, in which no numbers stand.
    fn mark_who_is_heard(&mut self, board: &mut Switchboard) {
        let (Stage::Talking(talk), Some(_)) = (&self.stage, self.recording.running()) else { return };
        let agent = talk.agent().or_else(|| self.leg(talk.leg())?.agent);
        let who = agent
            .map_or_else(|| "called party".to_owned(), |agent| format!("agent {}", board.agent_name(agent)));
        if let Some(leg) = self.caller().media_key() {
            board.media(Command::MarkRecording { leg, what: who.into() });
        }
    }

    /// `leg` is where the caller was: the recording goes on there.
    pub(super) fn sits(&mut self, leg: LegNumber, board: &mut Switchboard) {
        let from = self.caller().media_key();
        self.seat = leg;
        let to = self.caller().media_key();
        if let (Some(from), Some(to), Some(_)) = (from, to, self.recording.running()) {
            board.media(Command::MoveRecording { from, to });
        }
    }

    /// Nothing happens if there is none.
    pub(super) fn stop_recording(&mut self, why: &str, board: &mut Switchboard) {
        let State::On(running) = std::mem::take(&mut self.recording.state) else { return };
        if let Some(leg) = self.caller().media_key() {
            board.media(Command::StopRecording { leg, end: RecordingEnd::Keep });
        }
        let length_ms = millis(board.now.saturating_duration_since(running.since));
        let ended = RecordingStep::Ended { file: running.file, length_ms, why: why.to_owned() };
        self.fact(What::Recording(ended), board);
    }

    /// What is written into this file comes to nothing.
    pub(crate) fn recording_failed(&mut self, file: &str, why: &str, board: &mut Switchboard) {
        let failed = RecordingStep::Failed { file: Some(file.to_owned()), why: why.to_owned() };
        self.fact(What::Recording(failed), board);
    }

    /// The file that is being written, and whether that is paused.
    pub fn recorded_in(&self) -> Option<(&str, bool)> {
        self.recording.running().map(|running| (running.file.as_str(), running.is_paused))
    }
}

/// Keys and operators.
impl Call {
    /// An agent who talks has pressed a key. Two of them may be an order.
    pub(super) fn agent_pressed(&mut self, number: LegNumber, key: char, board: &mut Switchboard) {
        let Some(agent) = self.leg(number).and_then(|leg| leg.agent) else { return };
        if !matches!(self.stage, Stage::Talking(_)) {
            return;
        }
        let now = board.now;
        let before = self.recording.key.replace((number, key, now));
        let Some((_, first, _)) = before.filter(|(leg, _, at)| *leg == number && now <= *at + KEYS_WITHIN)
        else {
            return;
        };
        let Some(policy) = self.recording.policy().cloned().or_else(|| self.recording_policy(board)) else {
            return;
        };
        let (pressed, is_running) = (Some([first, key]), self.recording.running().is_some());
        let order = match self.recording.running() {
            _ if pressed == policy.key && is_running => RecordingOrder::Stop,
            _ if pressed == policy.key => RecordingOrder::Start,
            Some(running) if pressed == policy.pause_key && running.is_paused => RecordingOrder::Resume,
            Some(_) if pressed == policy.pause_key => RecordingOrder::Pause,
            _ => return,
        };
        self.recording.key = None;
        let by = format!("keys of {}", board.agent_name(agent));
        // What cannot be done now (it is being announced) he may press again.
        self.order_recording(order, &by, Some(policy), board).ok();
    }

    /// Begins, pauses, resumes or ends the recording. `policy`: by which it begins, if another than the call's own.
    pub(crate) fn order_recording(
        &mut self,
        order: RecordingOrder,
        why: &str,
        policy: Option<Arc<RecordingPolicy>>,
        board: &mut Switchboard,
    ) -> Result<(), RecordingRefusal> {
        match (order, &mut self.recording.state) {
            (RecordingOrder::Start, State::Off) => return self.begin_by_order(why, policy, board),
            (RecordingOrder::Start, _) => return Err(RecordingRefusal::Recorded),
            (RecordingOrder::Stop, State::On(_)) => self.stop_recording(why, board),
            (RecordingOrder::Pause, State::On(running)) if running.is_paused => {
                return Err(RecordingRefusal::Paused);
            }
            (RecordingOrder::Resume, State::On(running)) if !running.is_paused => {
                return Err(RecordingRefusal::NotPaused);
            }
            (RecordingOrder::Pause | RecordingOrder::Resume, State::On(running)) => {
                running.is_paused = order == RecordingOrder::Pause;
                self.pause_or_resume(order, why, board);
            }
            (_, State::Off | State::Announced { .. }) => return Err(RecordingRefusal::NotRecorded),
        }
        Ok(())
    }

    fn pause_or_resume(&mut self, order: RecordingOrder, why: &str, board: &mut Switchboard) {
        let Some(leg) = self.caller().media_key() else { return };
        let (command, step) = match order {
            RecordingOrder::Pause => (
                Command::PauseRecording { leg, reason: why.into() },
                RecordingStep::Paused { reason: why.to_owned() },
            ),
            _ => (Command::ResumeRecording { leg }, RecordingStep::Resumed { by: why.to_owned() }),
        };
        board.media(command);
        self.fact(What::Recording(step), board);
    }

    fn begin_by_order(
        &mut self,
        why: &str,
        policy: Option<Arc<RecordingPolicy>>,
        board: &mut Switchboard,
    ) -> Result<(), RecordingRefusal> {
        let policy = policy.or_else(|| self.recording_policy(board)).ok_or(RecordingRefusal::NoPolicy)?;
        if !self.is_answered() || matches!(self.stage, Stage::Ended(_)) {
            return Err(RecordingRefusal::NotAnswered);
        }
        if let Some(why) = board.recorder_trouble.clone() {
            return Err(RecordingRefusal::Trouble(why));
        }
        self.begin_recording(policy, why, board);
        Ok(())
    }
}
