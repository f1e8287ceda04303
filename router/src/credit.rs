//! Credit: by how much a caller stands ahead of one who came when he came, and why.
//!
//! A caller's order key is his arrival less his credit, smaller is sooner. The priority of a queue is credit too, of so
//! much time that no wait and no boost makes up for it; boosts are small and add up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::{CallerGroup, Number, Queue},
    journal::fact::Micros,
};

/// What one step of priority is worth. A caller waits in one queue for a day at most and has a day of boosts at most:
/// ten days put the higher class first even when he has come through several queues.
const CLASS: Duration = Duration::from_secs(10 * 24 * 3_600);

/// All boosts of one caller together; what goes beyond is not granted.
pub const MOST_BOOST: Duration = Duration::from_secs(24 * 3_600);

/// Time by which a caller stands ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// How much, in milliseconds.
    pub ms: u64,
    /// For what.
    #[serde(rename = "for")]
    pub why: Why,
}

/// What credit is given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Why {
    /// The queue's priority.
    Priority {
        /// 1 to 9.
        priority: u8,
    },
    /// He is one of callers who have a higher priority than the queue.
    Raised {
        /// Name of the `[callers.NAME]`.
        callers: String,
        /// 1 to 9.
        priority: u8,
    },
    /// The number he called.
    Number {
        /// Pattern of the `[[number]]`.
        number: String,
    },
    /// He is one of callers who have a boost.
    Callers {
        /// Name of the `[callers.NAME]`.
        callers: String,
    },
    /// He gave up in this queue a short while ago.
    GaveUp {
        /// When.
        at: Micros,
    },
    /// He was transferred in this call.
    Transferred,
    /// Every caller of the queue has it.
    HeadStart,
    /// With his place he has the credit that he had then.
    KeptPlace,
}

/// What a caller brings to a queue, beside the time at which he came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claims<'a> {
    /// The number he called.
    pub number: Option<&'a Number>,
    /// The callers he is one of.
    pub callers: Option<&'a CallerGroup>,
    /// When he gave up in this queue, if that was soon enough ago to count.
    pub gave_up: Option<Micros>,
    /// He was transferred in this call.
    pub transferred: bool,
}

/// What a caller is credited with in `queue`: only what applies, each once.
pub fn credits(queue: &Queue, claims: Claims<'_>) -> Vec<Credit> {
    let mut credits = classes(queue.priority, claims.callers);
    let mut room = MOST_BOOST;
    for (boost, why) in boosts(queue, claims) {
        let granted = boost.min(room);
        room -= granted;
        credits.extend(Some(Credit::new(granted, why)).filter(|credit| credit.ms > 0));
    }
    credits
}

fn classes(of_queue: u8, callers: Option<&CallerGroup>) -> Vec<Credit> {
    let own = Credit::new(CLASS * u32::from(of_queue), Why::Priority { priority: of_queue });
    let raised = callers.filter(|callers| callers.priority > of_queue).map(|callers| {
        let (callers, priority) = (callers.name.clone(), callers.priority);
        Credit::new(CLASS * u32::from(priority - of_queue), Why::Raised { callers, priority })
    });
    Some(own).filter(|own| own.ms > 0).into_iter().chain(raised).collect()
}

fn boosts(queue: &Queue, claims: Claims<'_>) -> impl Iterator<Item = (Duration, Why)> {
    let number =
        claims.number.map(|number| (number.boost, Why::Number { number: number.pattern.to_string() }));
    let callers =
        claims.callers.map(|callers| (callers.boost, Why::Callers { callers: callers.name.clone() }));
    let returning = queue.memory.returning.zip(claims.gave_up);
    let returning = returning.map(|(returning, at)| (returning.boost, Why::GaveUp { at }));
    let transferred = claims.transferred.then_some((queue.memory.transferred.boost, Why::Transferred));
    [number, callers, returning, transferred, Some((queue.head_start, Why::HeadStart))].into_iter().flatten()
}

impl Credit {
    /// So much for that.
    pub fn new(time: Duration, why: Why) -> Credit {
        Credit { ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX), why }
    }

    /// For people: `10m00s ahead as one of callers.gold`; `span` writes a length in milliseconds, `clock` an instant.
    pub fn in_words(&self, span: impl Fn(u64) -> String, clock: impl Fn(Micros) -> String) -> String {
        let ahead = || format!("{} ahead", span(self.ms));
        match &self.why {
            Why::Priority { priority } => format!("priority {priority}"),
            Why::Raised { callers, priority } => format!("priority {priority} as one of callers.{callers}"),
            Why::Number { number } => format!("{} by the number {number}", ahead()),
            Why::Callers { callers } => format!("{} as one of callers.{callers}", ahead()),
            Why::GaveUp { at } => format!("{} as he gave up at {}", ahead(), clock(*at)),
            Why::Transferred => format!("{} as he was transferred", ahead()),
            Why::KeptPlace => format!("{} as he was before", ahead()),
            Why::HeadStart => format!("{} by the queue's head start", ahead()),
        }
    }
}

/// The order key of a caller who came at `arrived`: 0 at least.
pub fn order_key(arrived: Micros, credits: &[Credit]) -> u64 {
    let credit = credits.iter().fold(0_u64, |sum, credit| sum.saturating_add(credit.ms));
    u64::try_from(arrived).unwrap_or(0).saturating_sub(credit.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const NOON: Micros = 1_795_608_000_000_000;

    fn group(hours: u32, priority: u8) -> CallerGroup {
        CallerGroup { name: "gold".into(), boost: HOUR * hours, priority, numbers: 1 }
    }

    #[test]
    fn no_wait_and_no_boosts_bring_a_caller_before_one_of_a_higher_class() {
        let low = credits(0, HOUR * 20, &group(20, 0));
        assert_eq!(low.iter().map(|credit| credit.ms).collect::<Vec<_>>(), [72_000_000, 14_400_000]);
        let four_days = 4 * 24 * 3_600_000_000;
        let patient = order_key(NOON - four_days, &low);
        assert!(order_key(NOON, &credits(1, Duration::ZERO, &group(0, 0))) < patient);
    }

    #[test]
    fn a_group_raises_the_class_of_a_queue_that_is_lower_and_no_other() {
        let class = |queue, callers| {
            let credits = credits(queue, Duration::ZERO, &group(0, callers));
            (NOON as u64 - order_key(NOON, &credits)) / u64::try_from(CLASS.as_micros()).unwrap()
        };
        assert_eq!([class(3, 7), class(7, 3), class(0, 0), class(0, 9)], [7, 7, 0, 9]);
    }

    fn credits(priority: u8, head_start: Duration, callers: &CallerGroup) -> Vec<Credit> {
        let text = format!(
            "[listen]\nsip = [\"udp:127.0.0.1:5060\"]\n[queue.q]\npriority = {priority}\nhead_start = \"{}s\"",
            head_start.as_secs()
        );
        let (mut names, around) = (crate::config::Names::new(), crate::config::Surroundings::default());
        let config = crate::config::parse(&text, "f", "".as_ref(), &mut names, &around).expect("a queue");
        let (_, queue) = config.queues().next().expect("a queue");
        super::credits(queue, Claims { callers: Some(callers), ..Claims::default() })
    }
}
