//! What the operator and the agents at their desks do.

use std::{sync::Arc, time::Duration};

use router::{
    clock::Clock,
    journal::fact::Wish,
    recording::{RecorderNews, RecordingOrder, RecordingRefusal},
    shard::Input,
    status::{Door, OrderError, RecordingStatus},
};
use sip_core::Service;

use super::{MORNING, World, read_config, sounds::prompts};

impl World {
    /// The operator or the agent changes an agent's state.
    pub fn agent_wish(&mut self, agent: &str, wish: Wish) {
        let (id, _) = self
            .config
            .agents()
            .find(|(_, known)| known.name == agent)
            .expect("an agent of the configuration");
        self.tell(Input::Agent { agent: id, wish, reason: "story".to_owned() });
    }

    /// The operator closes a queue by hand, or takes that back.
    pub fn switch_queue(&mut self, queue: &str, door: Door) {
        self.try_switch(queue, door).expect("a queue that can be switched so");
    }

    /// The same, where the router may refuse.
    ///
    /// # Errors
    /// As the router says.
    pub fn try_switch(&mut self, queue: &str, door: Door) -> Result<(), OrderError> {
        let switched = self.shard.switch(self.now, queue, door, "story").map(drop);
        self.drain_shard();
        switched
    }

    /// The operator begins, pauses, resumes or ends the recording of a call, or of whose agent's name it is.
    ///
    /// # Errors
    /// As the router says.
    pub fn orders_recording(
        &mut self,
        whose: &str,
        order: RecordingOrder,
        policy: Option<&str>,
        reason: &str,
    ) -> Result<RecordingStatus, RecordingRefusal> {
        let done = self.shard.order_recording(self.now, whose, order, (policy, reason));
        self.drain_shard();
        done
    }

    /// Whoever writes recordings has something to say.
    pub fn recorder_says(&mut self, news: RecorderNews) {
        self.tell(Input::Recorder(news));
    }

    /// SIGTERM, or its end.
    pub fn service(&mut self, service: Service) {
        self.tell(Input::Service(service));
    }

    /// The drain deadline.
    pub fn shut_down(&mut self) {
        self.tell(Input::Shutdown);
    }

    /// SIGHUP with this configuration.
    pub fn reload(&mut self, config: &str) {
        self.config = Arc::new(read_config(config, &mut self.names));
        let prompts = Arc::new(prompts(&self.config));
        self.tell(Input::Reload(Arc::clone(&self.config), prompts));
    }

    /// The system's clock is found to be wrong: it is so much earlier.
    pub fn sets_clock_back(&mut self, by: Duration) {
        // The anchor of a clock that shows MORNING so much later.
        self.tell(Input::Clock(Clock::new(self.start + by, MORNING)));
    }
}
