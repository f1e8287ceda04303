//! What the operator and the agents at their desks do.

use std::{sync::Arc, time::Duration};

use router::{
    clock::Clock,
    journal::fact::Wish,
    shard::Input,
    status::{Door, OrderError},
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
