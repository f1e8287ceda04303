//! What another staffing would change, in sentences for a team lead.

use std::ops::Range;

use super::{
    Counts, Forecast, HALF_HOUR, Headcount, Worker,
    forecast::{Outcome, Tried},
    micros,
    report::clock,
    tally,
};
use crate::{config::QueueId, journal::fact::Micros, lines::Accepting};

/// Sentences about the queue whose number of agents differs from staffing to staffing, the first being the fewest.
pub(super) fn advice(forecast: &Forecast<'_>, tried: &[Tried<'_>]) -> Vec<String> {
    let Some(question) = Question::of(forecast, tried) else { return Vec::new() };
    match question.bad_stretch() {
        None => vec![question.enough()],
        Some(stretch) if stretch.len() == tally::half_hours(&forecast.scenario) => {
            question.all_day().into_iter().collect()
        }
        Some(stretch) => question.all_day().into_iter().chain(question.only_in(stretch)).collect(),
    }
}

struct Question<'a> {
    forecast: &'a Forecast<'a>,
    tried: &'a [Tried<'a>],
    queue: QueueId,
}

impl<'a> Question<'a> {
    fn of(forecast: &'a Forecast<'a>, tried: &'a [Tried<'a>]) -> Option<Question<'a>> {
        let (first, last) = (tried.first()?, tried.last()?);
        let (head, _) = first.heads.iter().zip(last.heads).find(|(few, many)| few.agents != many.agents)?;
        Some(Question { forecast, tried, queue: head.queue })
    }

    fn enough(&self) -> String {
        let few = &self.tried[0];
        let level = level(&few.outcome.sum.total(self.queue)).unwrap_or(1.0);
        format!(
            "{}: {} enough: {} of the callers are answered within {}, at least {} in every half hour.",
            self.name(),
            if self.agents(few) == 1 { "one agent is".to_owned() } else { people(self.agents(few)) + " are" },
            percent(level),
            self.service_level(),
            percent(self.forecast.goal)
        )
    }

    /// More agents from the beginning to the end: the fewest who reach the goal, or as many as were tried.
    fn all_day(&self) -> Option<String> {
        let few = &self.tried[0];
        let before = few.outcome.sum.total(self.queue);
        let total = |tried: &Tried<'_>| tried.outcome.sum.total(self.queue);
        let rest = &self.tried[1..];
        let better = rest.iter().find(|tried| self.is_goal(&total(tried))).or(rest.last())?;
        let after = total(better);
        Some(format!(
            "{}: {} instead of {} all day raise the service level from {} to {}{}.",
            self.name(),
            people(self.agents(better)),
            number(self.agents(few)),
            percent(level(&before)?),
            percent(level(&after)?),
            also(&before, &after)
        ))
    }

    /// More agents in the stretch that is worst: again the fewest who reach the goal there, or as many as were tried.
    fn only_in(&self, stretch: Range<usize>) -> Option<String> {
        let few = &self.tried[0];
        let most = self.agents(self.tried.last()?) - self.agents(few);
        let mut tries = (1..=most).map(|more| (more, self.with_more(more, &stretch)));
        let mut last = None;
        let good = tries.find_map(|(more, outcome)| {
            let reached = self.is_goal(&self.within(&outcome, &stretch));
            last = Some((more, outcome));
            reached.then(|| last.take()).flatten()
        });
        let (more, outcome) = good.or(last)?;
        let day = (few.outcome.sum.total(self.queue), outcome.sum.total(self.queue));
        Some(format!(
            "{}: {} from {} to {} {} the service level there from {} to {}, and that of the day from {} to {}.",
            self.name(),
            if more == 1 { "one more agent".to_owned() } else { format!("{} more agents", number(more)) },
            self.clock(stretch.start),
            self.clock(stretch.end),
            if more == 1 { "raises" } else { "raise" },
            percent(level(&self.within(&few.outcome, &stretch))?),
            percent(level(&self.within(&outcome, &stretch))?),
            percent(level(&day.0)?),
            percent(level(&day.1)?)
        ))
    }

    fn with_more(&self, more: u32, stretch: &Range<usize>) -> Outcome {
        let Range { start: from, end: to } = self.span(stretch);
        let extra = Worker::of_queue(self.queue, &Accepting::by(self.forecast.scenario.config), from, to);
        let workers = self.tried[0].workers.iter().cloned().chain(std::iter::repeat_n(extra, more as usize));
        Outcome::of(self.forecast, &workers.collect::<Vec<_>>())
    }

    /// The neighbouring half hours below the goal in which most callers are not answered in time.
    fn bad_stretch(&self) -> Option<Range<usize>> {
        let half_hours = &self.tried[0].outcome.sum.queues[&self.queue];
        let bad: Vec<bool> =
            half_hours.iter().map(|counts| counts.offered > 0 && !self.is_goal(counts)).collect();
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for index in (0..bad.len()).filter(|index| bad[*index]) {
            match stretches.last_mut().filter(|last| last.end == index) {
                Some(last) => last.end += 1,
                None => stretches.push(index..index + 1),
            }
        }
        let late = |stretch: &Range<usize>| {
            let counts: Counts = half_hours[stretch.clone()].iter().collect();
            counts.counted() - counts.answered_in_time
        };
        stretches.into_iter().max_by_key(late)
    }

    fn is_goal(&self, counts: &Counts) -> bool {
        level(counts).is_none_or(|level| level >= self.forecast.goal)
    }

    fn within(&self, outcome: &Outcome, stretch: &Range<usize>) -> Counts {
        outcome.sum.queues[&self.queue][stretch.clone()].iter().collect()
    }

    fn span(&self, stretch: &Range<usize>) -> Range<Micros> {
        let at = |index: usize| self.forecast.scenario.start + index as Micros * micros(HALF_HOUR);
        at(stretch.start)..at(stretch.end).min(self.forecast.scenario.end())
    }

    fn clock(&self, half_hour: usize) -> String {
        let Range { end, .. } = self.span(&(0..half_hour));
        clock(end, &self.forecast.zone)
    }

    fn agents(&self, tried: &Tried<'_>) -> u32 {
        let head = |head: &&Headcount| head.queue == self.queue;
        tried.heads.iter().find(head).map_or(0, |head| head.agents)
    }

    fn name(&self) -> &str {
        self.forecast.scenario.config.queue(self.queue).map_or("", |queue| &queue.name)
    }

    fn service_level(&self) -> String {
        self.forecast
            .scenario
            .config
            .queue(self.queue)
            .map(|queue| crate::config::written(queue.service_level))
            .unwrap_or_default()
    }
}

fn level(counts: &Counts) -> Option<f64> {
    counts.service_levels().b
}

/// What else gets better.
fn also(before: &Counts, after: &Counts) -> String {
    let wait = match (before.mean_wait(), after.mean_wait()) {
        (Some(before), Some(after)) => {
            format!("; callers wait {after:.0} s instead of {before:.0} s on average")
        }
        _ => String::new(),
    };
    let lost = |counts: &Counts| percent(counts.abandoned as f64 / counts.offered.max(1) as f64);
    match before.abandoned {
        0 => wait,
        _ => format!("{wait}, {} instead of {} give up", lost(after), lost(before)),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn people(count: u32) -> String {
    if count == 1 { "one agent".to_owned() } else { format!("{} agents", number(count)) }
}

/// Small numbers are words.
fn number(count: u32) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    WORDS.get(count as usize).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}
