//! What all schedulers compared here can do, and how large a floor is.

/// A scheduler under test. Callers, agents and lines are numbers; of equal keys any may be first.
pub(crate) trait Floor: Sync {
    /// Its name in tables and plots.
    const NAME: &'static str;

    /// An empty floor; `serves` are the lines of each agent.
    fn new(scene: Scene, serves: &[Vec<u32>]) -> Self;

    /// A caller arrives; whom this call gave an agent.
    fn post(&self, caller: u32, line: u32, key: u64) -> Option<u32>;

    /// An agent becomes free; which caller this call gave one.
    fn ready(&self, agent: u32, key: u64) -> Option<u32>;

    /// The agent whom a caller has been given.
    fn take_letter(&self, caller: u32) -> Option<u32>;

    /// The call is over.
    fn release(&self, agent: u32);

    /// A waiting caller gives up.
    fn withdraw(&self, caller: u32);

    /// The place of a waiting caller, 1 for the head.
    fn position(&self, caller: u32) -> Option<u32>;
}

/// How many there are.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) callers: u32,
    pub(crate) agents: u32,
    pub(crate) lines: u32,
    pub(crate) memberships: u32,
}

impl Scene {
    pub(crate) fn name(self) -> String {
        format!("{} callers, {} agents, {} lines", self.callers, self.agents, self.lines)
    }

    pub(crate) fn floor<F: Floor>(self) -> F {
        let lines = |agent| (0..self.memberships).map(move |m| (agent * 7 + m * 11) % self.lines);
        let serves: Vec<Vec<u32>> = (0..self.agents).map(|agent| lines(agent).collect()).collect();
        F::new(self, &serves)
    }
}

/// All callers wait and nobody is idle: an agent becomes free and takes the head, another caller arrives.
pub(crate) struct Backlog<'a, F> {
    floor: &'a F,
    scene: Scene,
    clock: u64,
}

impl<'a, F: Floor> Backlog<'a, F> {
    pub(crate) fn new(floor: &'a F, scene: Scene) -> Self {
        let mut backlog = Backlog { floor, scene, clock: 0 };
        (0..scene.callers).for_each(|caller| backlog.post(caller));
        backlog
    }

    fn post(&mut self, caller: u32) {
        self.clock += 1;
        let line = (self.clock % u64::from(self.scene.lines)) as u32;
        assert_eq!(self.floor.post(caller, line, self.clock), None);
    }

    pub(crate) fn cycle(&mut self) {
        let agent = (self.clock % u64::from(self.scene.agents)) as u32;
        let Some(caller) = self.floor.ready(agent, self.clock) else { panic!("nobody waits") };
        assert_eq!(self.floor.take_letter(caller), Some(agent));
        self.floor.release(agent);
        self.post(caller);
    }

    /// A caller gives up and another arrives.
    pub(crate) fn abandon(&mut self) {
        let caller = self.somebody();
        self.floor.withdraw(caller);
        self.post(caller);
    }

    pub(crate) fn position(&mut self) -> Option<u32> {
        self.clock += 1;
        self.floor.position(self.somebody())
    }

    fn somebody(&self) -> u32 {
        (self.clock.wrapping_mul(7_919) % u64::from(self.scene.callers)) as u32
    }
}

/// All agents are idle, nobody waits: a caller arrives and is given the one idle longest, who is ready again later.
pub(crate) struct Free<'a, F> {
    floor: &'a F,
    scene: Scene,
    clock: u64,
}

impl<'a, F: Floor> Free<'a, F> {
    pub(crate) fn new(floor: &'a F, scene: Scene) -> Self {
        (0..scene.agents).for_each(|agent| assert_eq!(floor.ready(agent, u64::from(agent)), None));
        Free { floor, scene, clock: u64::from(scene.agents) }
    }

    pub(crate) fn cycle(&mut self) {
        self.clock += 1;
        let caller = (self.clock % u64::from(self.scene.callers)) as u32;
        let line = (self.clock % u64::from(self.scene.lines)) as u32;
        assert_eq!(self.floor.post(caller, line, self.clock), Some(caller));
        let Some(agent) = self.floor.take_letter(caller) else { panic!("no letter") };
        self.floor.release(agent);
        assert_eq!(self.floor.ready(agent, self.clock), None);
    }
}
