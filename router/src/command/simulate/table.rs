//! The outcome for people.

use std::io::Write;

use super::super::{
    CommandError,
    table::{clip, span},
};
use crate::simulate::{Counts, Estimate, Figures, QueueReport, Report, ServiceLevels, StaffingReport};

/// Tables and sentences, at most 120 columns. Several days are told as their mean.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), CommandError> {
    let Report { from, until, days, seed, .. } = report;
    let often = if *days == 1 { String::new() } else { format!(", the mean of {days} days") };
    writeln!(out, "{from} to {until}{often}, seed {seed}")?;
    report.assumptions.iter().try_for_each(|note| writeln!(out, "  {note}"))?;
    match report.staffings.as_slice() {
        [one] => by_half_hour(one, *days, out)?,
        many => by_staffing(many, *days, out)?,
    }
    if !report.advice.is_empty() {
        writeln!(out)?;
    }
    report.advice.iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    Ok(())
}

fn by_half_hour(staffing: &StaffingReport, days: u32, out: &mut dyn Write) -> Result<(), CommandError> {
    let called = |queue: &&QueueReport| queue.total.counts.offered > 0 || queue.agents > 0;
    for queue in staffing.queues.iter().filter(called) {
        head(&title(queue), "from", out)?;
        for half_hour in &queue.half_hours {
            row(&half_hour.clock, &half_hour.figures, days, out)?;
        }
        row("all", &queue.total, days, out)?;
        rest(&queue.total, days, out)?;
    }
    if staffing.queues.iter().filter(called).count() > 1 {
        head("all queues", "", out)?;
        row("all", &staffing.all, days, out)?;
        rest(&staffing.all, days, out)?;
    }
    Ok(())
}

/// One row for each staffing of each queue whose outcome differs from one to the next.
fn by_staffing(staffings: &[StaffingReport], days: u32, out: &mut dyn Write) -> Result<(), CommandError> {
    for (index, queue) in staffings[0].queues.iter().enumerate() {
        if queue.total.counts.offered == 0 {
            continue;
        }
        let goal = seconds(queue.service_level_s);
        head(&format!("{}, in time is within {goal}", clip(&queue.queue, 40)), "agents", out)?;
        for staffing in staffings {
            let queue = &staffing.queues[index];
            row(&queue.agents.to_string(), &queue.total, days, out)?;
        }
    }
    Ok(())
}

fn title(queue: &QueueReport) -> String {
    let agents = if queue.agents == 1 { "1 agent".to_owned() } else { format!("{} agents", queue.agents) };
    format!("{}, {agents}, in time is within {}", clip(&queue.queue, 40), seconds(queue.service_level_s))
}

fn head(title: &str, first: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    writeln!(out, "\n{title}")?;
    writeln!(
        out,
        "{first:<7} {:>8} {:>8} {:>9} {:>7} {:>8} {:>7} {:>9} {:>9} {:>8} {:>9}",
        "offered",
        "answered",
        "abandoned",
        "(short)",
        "overflow",
        "waiting",
        "in time",
        "mean wait",
        "longest",
        "occupancy"
    )?;
    Ok(())
}

fn row(label: &str, figures: &Figures, days: u32, out: &mut dyn Write) -> Result<(), CommandError> {
    let Counts { offered, answered, abandoned, abandoned_short, waiting, .. } = figures.counts;
    let [offered, answered, abandoned, short, overflow, waiting] =
        [offered, answered, abandoned, abandoned_short, figures.counts.flowed_out(), waiting]
            .map(|count| a_day(count, days));
    writeln!(
        out,
        "{label:<7} {offered:>8} {answered:>8} {abandoned:>9} {short:>7} {overflow:>8} {waiting:>7} {:>9} {:>9} {:>8} {:>9}",
        percent(figures.service_level.b),
        figures.mean_wait_s.map_or_else(|| "-".to_owned(), seconds),
        seconds(figures.counts.longest as f64 / 1e6),
        percent(figures.occupancy),
    )?;
    Ok(())
}

/// What the columns leave out.
fn rest(figures: &Figures, days: u32, out: &mut dyn Write) -> Result<(), CommandError> {
    let ServiceLevels { a, b, c, d, e, f, g } = figures.service_level;
    let names = ["a", "b", "c", "d", "e", "f", "g"].into_iter().zip([a, b, c, d, e, f, g]);
    let levels: Vec<String> = names.map(|(name, level)| format!("{name} {}", percent(level))).collect();
    writeln!(out, "service level by definition: {}", levels.join(", "))?;
    let Counts { timed_out, full, closed, unstaffed, too_long, unanswered, .. } = figures.counts;
    let others = [
        (timed_out, "waited max_wait"),
        (full, "found the queue full"),
        (closed, "found it closed"),
        (unstaffed, "found nobody at work"),
        (too_long, "were estimated to wait too long"),
        (unanswered, "assignments not answered"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others: Vec<String> = others.map(|(count, what)| format!("{} {what}", a_day(count, days))).collect();
    if !others.is_empty() {
        writeln!(out, "{}", others.join(", "))?;
    }
    if let (Some(level), Some(wait)) = (figures.service_level_99, figures.mean_wait_99) {
        let Estimate { value, within } = wait;
        writeln!(
            out,
            "99 % sure: in time {} ± {:.1} %, mean wait {} ± {}",
            percent(Some(level.value)),
            level.within * 100.0,
            seconds(value),
            seconds(within)
        )?;
    }
    Ok(())
}

fn a_day(count: u64, days: u32) -> String {
    match days {
        1 => count.to_string(),
        days => format!("{:.1}", count as f64 / f64::from(days)),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn seconds(seconds: f64) -> String {
    span((seconds * 1e3).round() as u64)
}
