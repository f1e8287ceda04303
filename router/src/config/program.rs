//! Flows as one program: that every call comes to an end, and no step stands where none can come.
//!
//! Steps are joined by the ways a call may take. Three things are looked for:
//!
//! * **A circle in which nothing is sure to take time** is an error: an overflow into a queue that overflows back, a
//!   `goto` into oneself. Only prompts and menus are sure to take time; a queue may be full, a dial may fail at once.
//! * **A flow from which no way leads to an end** is an error. Ends are `hangup`, `reject`, the end of the steps, and
//!   `queue` and `dial`, for whoever talks to somebody has arrived.
//! * **A circle for a caller who does nothing** is a warning. A menu repeats itself `tries` times and then goes to
//!   `otherwise`; if that leads back, a silent caller stays for ever.

use std::collections::BTreeMap;

use super::flow::{Goto, Step};
use super::flow_toml::{FlowSection, StepRead};
use super::names::{FlowId, QueueId};
use super::problem::Report;

/// A way from one step to another.
struct Way {
    to: usize,
    /// A prompt is played or a key waited for on this way.
    takes_time: bool,
    /// Taken only if the caller chose it, or could meet somebody before.
    chosen: bool,
    /// The queue a `goto` waits in on this way.
    queue: Option<QueueId>,
}

/// A step of a circle, and which of its ways is taken.
type Stage = (usize, usize);

/// Where the call is over.
const END: usize = usize::MAX;

struct Program<'f> {
    flows: &'f [(FlowId, FlowSection)],
    /// For each step of each flow: which flow, which step.
    steps: Vec<(usize, usize)>,
    first: BTreeMap<FlowId, usize>,
    ways: Vec<Vec<Way>>,
    queues: &'f Queues<'f>,
}

/// What a flow has to know of queues.
pub(super) struct Queues<'q> {
    pub(super) name: &'q dyn Fn(QueueId) -> String,
    /// Where a queue sends those who wait when it is taken away.
    pub(super) when_removed: &'q dyn Fn(QueueId) -> Goto,
    /// Where its keys take them.
    pub(super) keys: &'q dyn Fn(QueueId) -> Vec<Goto>,
}

/// Reports circles, flows without an end, and steps that no call reaches.
pub(super) fn check(flows: &[(FlowId, FlowSection)], queues: &Queues<'_>, report: &mut Report) {
    for (_, flow) in flows {
        unreachable_steps(flow, report);
        late_rejects(flow, report);
    }
    let program = Program::new(flows, queues);
    if program.circles_without_time(report) || program.flows_without_end(report) {
        return;
    }
    program.circles_of_silence(report);
}

impl<'f> Program<'f> {
    fn new(flows: &'f [(FlowId, FlowSection)], queues: &'f Queues<'f>) -> Program<'f> {
        let mut program =
            Program { flows, steps: Vec::new(), first: BTreeMap::new(), ways: Vec::new(), queues };
        for (at, (id, flow)) in flows.iter().enumerate() {
            if !flow.steps.is_empty() {
                program.first.insert(*id, program.steps.len());
            }
            program.steps.extend((0..flow.steps.len()).map(|step| (at, step)));
        }
        program.ways = (0..program.steps.len()).map(|node| program.ways_from(node)).collect();
        program
    }

    fn read(&self, node: usize) -> &'f StepRead {
        let (flow, step) = self.steps[node];
        &self.flows[flow].1.steps[step]
    }

    fn next(&self, node: usize) -> usize {
        let (flow, step) = self.steps[node];
        if step + 1 < self.flows[flow].1.steps.len() { node + 1 } else { END }
    }

    fn way(&self, node: usize, goto: Goto, takes_time: bool, chosen: bool) -> Way {
        let (to, queue) = match goto {
            // A flow that could not be read has no steps: nothing can be said about it.
            Goto::Flow(flow) => (self.first.get(&flow).copied().unwrap_or(END), None),
            Goto::Queue(queue) => (self.next(node), Some(queue)),
            Goto::Next => (self.next(node), None),
            Goto::Hangup => (END, None),
        };
        Way { to, takes_time, chosen: chosen || queue.is_some(), queue }
    }

    /// The ways from a step, those included that a key in a queue on them opens, and those that are taken when that
    /// queue has been taken away.
    fn ways_from(&self, node: usize) -> Vec<Way> {
        let mut ways = self.written_ways(node);
        let own = match self.read(node).step {
            Some(Step::Queue { queue, .. }) => Some(queue),
            _ => None,
        };
        let mut queues: Vec<QueueId> = ways.iter().filter_map(|way| way.queue).chain(own).collect();
        let mut at = 0;
        while let Some(&queue) = queues.get(at) {
            let pressed = (self.queues.keys)(queue).into_iter().map(|goto| (goto, true));
            let removed = Some((self.queues.when_removed)(queue)).filter(|goto| *goto != Goto::Next);
            for (goto, takes_time) in pressed.chain(removed.map(|goto| (goto, false))) {
                let way = self.way(node, goto, takes_time, true);
                queues.extend(way.queue.filter(|queue| !queues.contains(queue)));
                ways.push(way);
            }
            at += 1;
        }
        ways
    }

    fn written_ways(&self, node: usize) -> Vec<Way> {
        let way = |goto, takes_time, chosen| self.way(node, goto, takes_time, chosen);
        // A step with a mistake in it might do anything: it ends, and the checks leave it alone.
        let Some(step) = &self.read(node).step else { return vec![way(Goto::Hangup, true, true)] };
        match step {
            Step::Answer | Step::Language(_) | Step::Record { .. } => vec![way(Goto::Next, false, false)],
            Step::Play { .. } | Step::Voicemail { .. } => vec![way(Goto::Next, true, false)],
            Step::Conference { .. } => vec![way(Goto::Next, false, true)],
            Step::Menu { keys, otherwise, .. } => {
                let keys = keys.iter().map(|(_, goto)| way(*goto, true, true));
                keys.chain([way(*otherwise, true, false)]).collect()
            }
            Step::Queue { .. } => vec![way(Goto::Next, false, true)],
            Step::Dial { on_busy, on_no_answer, on_failure, .. } => {
                let ways = [on_busy, on_no_answer, on_failure].into_iter();
                ways.map(|goto| way(goto.unwrap_or(Goto::Next), false, true)).collect()
            }
            Step::Callback(callback) => {
                let next = way(Goto::Next, callback.prompt.is_some(), false);
                vec![next, way(callback.otherwise, false, false)]
            }
            Step::Hours { closed_prompt, closed, .. } => {
                vec![way(Goto::Next, false, false), way(*closed, closed_prompt.is_some(), false)]
            }
            Step::Reject { .. } | Step::Hangup => vec![way(Goto::Hangup, false, false)],
            Step::Goto(goto) => vec![way(*goto, false, false)],
        }
    }

    fn circles_without_time(&self, report: &mut Report) -> bool {
        let circles = self.circles(|way| !way.takes_time);
        for circle in &circles {
            let queues = circle.iter().any(|stage| self.waits_in(*stage).is_some());
            let what =
                if queues { "the overflow goes in a circle" } else { "goes in a circle without waiting" };
            let text = format!(
                "{what}: {}; end it with \"hangup\", or play something on the way",
                self.shown(circle)
            );
            let read = self.read(circle[0].0);
            report.error(&read.span, &read.key, text);
        }
        !circles.is_empty()
    }

    fn flows_without_end(&self, report: &mut Report) -> bool {
        let mut ends: Vec<bool> = (0..self.ways.len()).map(|node| self.may_end(node)).collect();
        // Backwards until nothing changes; flows are few.
        loop {
            let leads = |node: usize, ends: &[bool]| self.ways[node].iter().any(|way| ends[way.to]);
            let more: Vec<usize> =
                (0..ends.len()).filter(|&node| !ends[node] && leads(node, &ends)).collect();
            if more.is_empty() {
                break;
            }
            more.into_iter().for_each(|node| ends[node] = true);
        }
        let mut found = false;
        for (id, flow) in self.flows {
            if self.first.get(id).is_some_and(|&node| !ends[node]) {
                let text = "never ends: no way leads to \"hangup\", a queue, a dial or the end of a flow; add \"hangup\"";
                report.error(&flow.span, &flow.path, text);
                found = true;
            }
        }
        found
    }

    fn circles_of_silence(&self, report: &mut Report) {
        for circle in self.circles(|way| !way.chosen) {
            let read = self.read(circle[0].0);
            let text = format!(
                "a caller who does nothing goes round for ever: {}; let one of them lead to \"hangup\"",
                self.shown(&circle)
            );
            report.warning(&read.span, &read.key, text);
        }
    }

    fn may_end(&self, node: usize) -> bool {
        let meets = matches!(self.read(node).step, Some(Step::Queue { .. } | Step::Dial { .. }));
        meets || self.ways[node].iter().any(|way| way.to == END || way.queue.is_some())
    }

    /// The queue waited in at a step, or on the way taken from it.
    fn waits_in(&self, (node, way): Stage) -> Option<QueueId> {
        match self.read(node).step {
            Some(Step::Queue { queue, .. }) => Some(queue),
            _ => self.ways[node][way].queue,
        }
    }

    /// One circle of each knot of steps joined by `ways`, beginning with its first step in the file.
    fn circles(&self, ways: impl Fn(&Way) -> bool) -> Vec<Vec<Stage>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            No,
            OnPath,
            Done,
        }
        let mut seen = vec![Seen::No; self.ways.len()];
        let mut circles: Vec<Vec<Stage>> = Vec::new();
        for start in 0..self.ways.len() {
            if seen[start] != Seen::No {
                continue;
            }
            // The path walked, each step with the number of its ways already tried.
            let mut path = vec![(start, 0)];
            seen[start] = Seen::OnPath;
            while let Some((node, tried)) = path.last_mut() {
                let node = *node;
                let Some(way) = self.ways[node].get(*tried) else {
                    seen[node] = Seen::Done;
                    path.pop();
                    continue;
                };
                *tried += 1;
                if way.to == END || !ways(way) {
                    continue;
                }
                match seen[way.to] {
                    Seen::No => {
                        seen[way.to] = Seen::OnPath;
                        path.push((way.to, 0));
                    }
                    Seen::OnPath => {
                        let from = path.iter().position(|(on, _)| *on == way.to).unwrap_or(0);
                        circles.push(path[from..].iter().map(|&(on, tried)| (on, tried - 1)).collect());
                    }
                    Seen::Done => {}
                }
            }
        }
        let mut told = vec![false; self.ways.len()];
        circles.retain_mut(|circle| {
            let first = circle.iter().enumerate().min_by_key(|(_, (node, _))| *node).map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            let new = !circle.iter().any(|&(node, _)| told[node]);
            circle.iter().for_each(|&(node, _)| told[node] = true);
            new
        });
        circles
    }

    /// `flow.a → queue.a → flow.b → flow.a`: each flow once, and the queues on the way.
    fn shown(&self, circle: &[Stage]) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut last = None;
        for &stage in circle {
            let flow = self.steps[stage.0].0;
            if last != Some(flow) {
                words.push(self.flows[flow].1.path.clone());
                last = Some(flow);
            }
            words.extend(self.waits_in(stage).map(|queue| format!("queue.{}", (self.queues.name)(queue))));
        }
        words.push(words[0].clone());
        if words.len() > 12 {
            words.splice(6..words.len() - 5, ["…".to_owned()]);
        }
        words.join(" → ")
    }
}

/// Steps are entered only from the one before or, the first, by a `goto`.
fn unreachable_steps(flow: &FlowSection, report: &mut Report) {
    for pair in flow.steps.windows(2) {
        let Some(step) = &pair[0].step else { continue };
        let Some(why) = never_goes_on(step) else { continue };
        let text = format!("no call comes here: {} {why}; take it out, or move it up", pair[0].key);
        report.error(&pair[1].span, &pair[1].key, text);
        // What follows would only repeat it.
        return;
    }
}

/// Why the step after this one is never reached, if so.
fn never_goes_on(step: &Step) -> Option<&'static str> {
    let away = |goto: &Goto| matches!(goto, Goto::Flow(_) | Goto::Hangup);
    match step {
        Step::Hangup => Some("hangs up"),
        Step::Reject { .. } => Some("refuses the call"),
        Step::Goto(goto) if away(goto) => Some("goes elsewhere and does not come back"),
        Step::Menu { keys, otherwise, .. } if away(otherwise) && keys.iter().all(|(_, goto)| away(goto)) => {
            Some("leads elsewhere with every key and \"otherwise\"")
        }
        Step::Dial {
            on_busy: Some(busy), on_no_answer: Some(no_answer), on_failure: Some(failure), ..
        } if [busy, no_answer, failure].into_iter().all(away) => Some("leads elsewhere whatever happens"),
        _ => None,
    }
}

/// A `reject` behind a step that answers can only hang up.
fn late_rejects(flow: &FlowSection, report: &mut Report) {
    let answers = |read: &StepRead| {
        matches!(
            read.step,
            Some(
                Step::Answer
                    | Step::Record { .. }
                    | Step::Play { early: false, .. }
                    | Step::Voicemail { .. }
                    | Step::Conference { .. }
                    | Step::Menu { early: false, .. }
                    | Step::Queue { early: false, .. }
            )
        )
    };
    let Some(answered) = flow.steps.iter().position(answers) else { return };
    for read in flow.steps[answered..].iter().filter(|read| matches!(read.step, Some(Step::Reject { .. }))) {
        let text = format!(
            "the call is answered by {}, so this only hangs up; write \"hangup\"",
            flow.steps[answered].key
        );
        report.warning(&read.span, &read.key, text);
    }
}
