//! Recordings: what operators ask of them, and what is heard of whoever writes them.

use std::time::Instant;

use super::Shard;
use crate::{
    call::Call,
    journal::fact::{CallId, RecordingStep, What},
    keys::CallKey,
    recording::{RecorderNews, RecordingOrder, RecordingRefusal},
    status::RecordingStatus,
};

impl Shard {
    /// Begins, pauses, resumes or ends the recording of `whose` call: its name, or that of an agent who talks in it.
    ///
    /// # Errors
    /// Why it was not done; nothing has changed then.
    pub fn order_recording(
        &mut self,
        now: Instant,
        whose: &str,
        order: RecordingOrder,
        (policy, reason): (Option<&str>, &str),
    ) -> Result<RecordingStatus, RecordingRefusal> {
        self.begin_turn(now);
        let named = |name: &str| {
            let found = self.board.config.recordings.policy(name).cloned();
            found.ok_or_else(|| RecordingRefusal::UnknownPolicy(name.to_owned()))
        };
        let policy = policy.map(named).transpose()?;
        let key = self.recorded_call(whose).ok_or_else(|| RecordingRefusal::NoCall(whose.to_owned()))?;
        let mut call = self.calls.take(key).ok_or(RecordingRefusal::NotAnswered)?;
        let reason = if reason.is_empty() { "by hand" } else { reason };
        let done = call.order_recording(order, reason, policy, &mut self.board);
        let status = RecordingStatus::of(&call);
        self.put_back(call);
        self.finish_turn();
        done.map(|()| status)
    }

    fn recorded_call(&self, whose: &str) -> Option<CallKey> {
        if let Ok(id) = whose.parse::<CallId>() {
            return self.calls().find(|call| call.id() == id).map(Call::key);
        }
        let is_his = |call: &&Call| {
            call.connected().is_some()
                && call
                    .agents()
                    .chain(call.speaks_besides())
                    .any(|agent| self.board.agent_name(agent) == whose)
        };
        self.calls().find(is_his).map(Call::key)
    }

    pub(super) fn recorder_says(&mut self, news: RecorderNews) {
        match news {
            RecorderNews::Works => self.board.recorder_trouble = None,
            RecorderNews::Fails(why) => self.board.recorder_trouble = Some(why),
            RecorderNews::Lost { file, why } => self.recording_lost(file, &why),
        }
    }

    /// On the record of its call if that lives, else on record at least.
    fn recording_lost(&mut self, file: String, why: &str) {
        let found = self.calls().find(|call| call.recorded_in().is_some_and(|(known, _)| known == file));
        let key = found.map(Call::key);
        match key.and_then(|key| self.calls.take(key)) {
            Some(mut call) => {
                call.recording_failed(&file, why, &mut self.board);
                self.put_back(call);
            }
            None => {
                let failed = RecordingStep::Failed { file: Some(file), why: why.to_owned() };
                self.board.fact(None, What::Recording(failed));
            }
        }
    }
}
