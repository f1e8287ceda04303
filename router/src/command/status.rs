//! `fernamt status [--json]`: the running router at this instant.

use std::{io::Write, net::SocketAddr};

use super::{
    CommandError, http,
    table::{clip, clock, span, word},
};
use crate::status::{
    AgentPresence, AgentStatus, LiveCall, PhoneStatus, PresenceStatus, QueueStatus, Status, TrunkStatus,
};

/// Asks the router at `admin` and writes what it says: for people, or as one JSON object.
///
/// # Errors
/// [`CommandError::Unreachable`], `Refused` or `Answer`.
pub fn status(admin: SocketAddr, json: bool, out: &mut dyn Write) -> Result<(), CommandError> {
    let text = http::get(admin, "/status")?;
    let status: Status = serde_json::from_str(&text)?;
    match json {
        true => writeln!(out, "{}", text.trim_end())?,
        false => write_status(&status, out)?,
    }
    Ok(())
}

fn write_status(status: &Status, out: &mut dyn Write) -> Result<(), CommandError> {
    let up = span(millis(status.now - status.started_at));
    let Status { node, version, service, generation, calls, legs, transactions, ports, .. } = status;
    writeln!(out, "{node}: {service}; fernamt {version}, up {up}, configuration {generation}")?;
    writeln!(
        out,
        "{calls} calls now ({} since the start), {legs} legs, {transactions} transactions, {} ports in use, {} resting",
        status.arrived, ports.0, ports.1
    )?;
    if !status.queues.is_empty() {
        writeln!(
            out,
            "\n{:<20} {:>7} {:>7} {:>7} {:>5} {:>7} {:>8} {:>8} {:>7} {:>9} {:>5} {:>9}",
            "queue",
            "waiting",
            "first",
            "wait",
            "right",
            "idle/in",
            "entered",
            "answered",
            "in time",
            "abandoned",
            "short",
            "otherwise"
        )?;
    }
    status.queues.iter().try_for_each(|queue| write_queue(queue, status.now, out))?;
    if !status.agents.is_empty() {
        writeln!(
            out,
            "\n{:<20} {:<10} {:>8} {:<10} {:>8}  queues",
            "agent", "state", "for", "asked for", "answered"
        )?;
    }
    status.agents.iter().try_for_each(|agent| write_agent(agent, status.now, out))?;
    write_trunks(&status.trunks, status.now, out)?;
    if let Some(presence) = &status.presence {
        write_presence(presence, status.now, out)?;
    }
    if !status.live.is_empty() {
        writeln!(
            out,
            "\n{:<12} {:<12} {:<22} {:<22} {:<18} agents",
            "arrived", "stage", "from", "to", "queue"
        )?;
    }
    status.live.iter().try_for_each(|call| write_call(call, out))?;
    let untold = calls.saturating_sub(status.live.len() as u64);
    if untold > 0 {
        writeln!(out, "and {untold} more")?;
    }
    Ok(())
}

fn write_queue(queue: &QueueStatus, now: i64, out: &mut dyn Write) -> Result<(), CommandError> {
    let QueueStatus { name, closed, waiting, idle, logged_in, longest_since, estimate_ms, estimates, sums } =
        queue;
    let estimate = estimate_ms.map_or_else(|| "-".to_owned(), span);
    let right = estimates.coverage().map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0));
    let closed = if *closed { "  closed" } else { "" };
    let callbacks = match sums.callbacks_pending() {
        0 => String::new(),
        pending => format!("  {pending} callbacks"),
    };
    let first = longest_since.map_or_else(|| "-".to_owned(), |since| span(millis(now - since)));
    let in_time = sums.service_level().map_or("-".to_owned(), |level| format!("{:.0}%", level * 100.0));
    writeln!(
        out,
        "{:<20} {waiting:>7} {first:>7} {estimate:>7} {right:>5} {:>7} {:>8} {:>8} {in_time:>7} {:>9} {:>5} {:>9}{closed}{callbacks}",
        clip(name, 20),
        format!("{idle}/{logged_in}"),
        sums.entered,
        sums.answered,
        sums.abandoned,
        sums.abandoned_short,
        sums.left_otherwise()
    )?;
    Ok(())
}

fn write_agent(agent: &AgentStatus, now: i64, out: &mut dyn Write) -> Result<(), CommandError> {
    let presence =
        agent.presence.as_ref().map(|presence| presence_in_words(presence, now)).unwrap_or_default();
    let room = 57_usize.saturating_sub(presence.chars().count());
    writeln!(
        out,
        "{:<20} {:<10} {:>8} {:<10} {:>8}  {}{presence}",
        clip(&agent.name, 20),
        word(&agent.state),
        span(millis(now - agent.since)),
        word(&agent.wish),
        agent.answered,
        clip(&agent.queues.join(" "), room)
    )?;
    if agent.unreached {
        writeln!(out, "    no telephone is registered, so he counts as paused")?;
    }
    agent.phones.iter().try_for_each(|phone| write_phone(phone, out))
}

fn write_phone(phone: &PhoneStatus, out: &mut dyn Write) -> Result<(), CommandError> {
    let PhoneStatus { contact, flow, device, expires_s } = phone;
    writeln!(out, "    {contact} by {flow}, {}  {device}", span(expires_s * 1_000))?;
    Ok(())
}

fn write_trunks(trunks: &[TrunkStatus], now: i64, out: &mut dyn Write) -> Result<(), CommandError> {
    if !trunks.is_empty() {
        writeln!(
            out,
            "\n{:<20} {:>11}  {:<34} {:<8} {:>8}  last check",
            "trunk", "calls", "target", "state", "for"
        )?;
    }
    for trunk in trunks {
        let most = trunk.max_calls.map(|most| format!("/{most}")).unwrap_or_default();
        let (mut name, mut calls) = (clip(&trunk.name, 20), format!("{}{most}", trunk.calls));
        if trunk.targets.is_empty() {
            writeln!(out, "{name:<20} {calls:>11}  -")?;
        }
        for target in &trunk.targets {
            let (state, age) = (word(&target.state), span(millis(now - target.since)));
            let checked = target.checked.as_ref().map(|(at, what)| format!("{} {what}", clock(*at)));
            let why = checked.unwrap_or_else(|| target.why.clone());
            let at = clip(&target.target, 34);
            writeln!(out, "{name:<20} {calls:>11}  {at:<34} {state:<8} {age:>8}  {why}")?;
            (name, calls) = (String::new(), String::new());
        }
        if let Some(ours) = &trunk.registration {
            let (at, age) = (format!("register {}", ours.registrar), span(millis(now - ours.since)));
            let (at, state) = (clip(&at, 34), clip(&ours.state, 10));
            writeln!(out, "{:<20} {:>11}  {at:<34} {state:<8} {age:>8}  {}", "", "", ours.why)?;
        }
    }
    Ok(())
}

/// `  [Busy, InACall 3s ago: no calls]`, 40 characters at most.
fn presence_in_words(presence: &AgentPresence, now: i64) -> String {
    let age = presence.seen.map_or(String::new(), |seen| format!(" {} ago", span(millis(now - seen))));
    let no = if presence.offered { "" } else { ": no calls" };
    let rest = format!("{age}{no}");
    format!("  [{}{rest}]", clip(&presence.says, 36_usize.saturating_sub(rest.chars().count())))
}

fn write_presence(presence: &PresenceStatus, now: i64, out: &mut dyn Write) -> Result<(), CommandError> {
    let PresenceStatus { agents, offered, last_answer, trouble } = presence;
    let age = last_answer.map_or("never yet".to_owned(), |at| format!("{} ago", span(millis(now - at))));
    writeln!(out, "\npresence of {agents} agents: {offered} may be given calls; Graph last answered {age}")?;
    if let Some(trouble) = trouble {
        let since = span(millis(now - trouble.since));
        writeln!(out, "presence is not known for {since}: {}", trouble.what)?;
        writeln!(out, "  fault: {}; {}", trouble.fault, trouble.cure)?;
    }
    Ok(())
}

fn write_call(call: &LiveCall, out: &mut dyn Write) -> Result<(), CommandError> {
    let agents = if call.agents.is_empty() { "-".to_owned() } else { call.agents.join(" ") };
    writeln!(
        out,
        "{:<12} {:<12} {:<22} {:<22} {:<18} {}",
        clock(call.arrived_at),
        clip(&call.stage, 12),
        clip(&call.from, 22),
        clip(&call.to, 22),
        clip(call.queue.as_deref().unwrap_or("-"), 18),
        clip(&agents, 28)
    )?;
    Ok(())
}

fn millis(micros: i64) -> u64 {
    u64::try_from(micros / 1_000).unwrap_or(0)
}
