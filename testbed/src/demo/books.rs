//! What the router has written down, and whether it agrees with what the telephones saw.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use router::status::Status;
use serde_json::Value;

use super::cast::{self, Caller, Fate};

/// How long the router may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the running router and reads its journal.
pub(super) struct Books<'a> {
    pub(super) admin: SocketAddr,
    pub(super) fernamt: &'a Path,
    pub(super) config: &'a Path,
}

/// What came of the twenty calls.
#[derive(Default)]
pub(super) struct Verdict {
    calls: usize,
    answered: usize,
    abandoned: usize,
    sound_both_ways: usize,
    records: usize,
    left_over: u64,
    sums: Vec<String>,
    troubles: Vec<String>,
}

/// One finished call, as `fernamt calls --json` prints it.
pub(super) struct Record(pub(super) Value);

impl Books<'_> {
    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").is_ok()
    }

    /// Nothing is left of any call but its record.
    pub(super) fn is_settled(&self, records: u64) -> bool {
        self.metrics()
            .is_ok_and(|page| page.left_over() == 0 && page.sum("fernamt_records_total", "") == Some(records))
    }

    pub(super) fn status(&self) -> Result<Status, String> {
        serde_json::from_str(&self.get("/status")?).map_err(|error| format!("/status: {error}"))
    }

    fn metrics(&self) -> Result<Metrics, String> {
        self.get("/metrics").map(Metrics)
    }

    /// How many agents may be given calls by what Graph says; `None` before it has said anything.
    pub(super) fn available(&self) -> Option<usize> {
        let presence = self.status().ok()?.presence?;
        presence.last_answer.map(|_| presence.offered as usize)
    }

    /// Graph says no of this agent.
    pub(super) fn is_held_back(&self, agent: &str) -> bool {
        let Ok(status) = self.status() else { return false };
        let own = status.agents.into_iter().find(|known| known.name == agent);
        own.and_then(|own| own.presence).is_some_and(|presence| !presence.offered)
    }

    /// Calls, legs and ports that there are.
    pub(super) fn left_over(&self) -> Result<u64, String> {
        self.metrics().map(|page| page.left_over())
    }

    /// The journal through the program, as a user reads it.
    pub(super) fn calls(&self, json: bool) -> Result<String, String> {
        let mut command = Command::new(self.fernamt);
        command.arg("calls").arg(self.config).args(["--last", "1000"]).args(json.then_some("--json"));
        let output = command.output().map_err(|error| format!("{}: {error}", self.fernamt.display()))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("fernamt calls: {}", String::from_utf8_lossy(&output.stderr).trim_end())),
        }
    }

    pub(super) fn records(&self) -> Result<Vec<Record>, String> {
        let text = self.calls(true)?;
        let line = |line: &str| serde_json::from_str(line).map(Record);
        text.lines().map(line).collect::<Result<_, _>>().map_err(|error| format!("fernamt calls: {error}"))
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let request = ureq::get(format!("http://{}{path}", self.admin));
        let answer = request.config().timeout_global(Some(PATIENCE)).build().call();
        answer
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .map_err(|error| format!("http://{}{path}: {error}", self.admin))
    }
}

/// The page of `/metrics`.
struct Metrics(String);

impl Metrics {
    /// Sum of all samples of `name` that have `label` among their labels; every one for `""`. `None` if there is none.
    fn sum(&self, name: &str, label: &str) -> Option<u64> {
        let samples = self.0.lines().filter_map(|line| {
            let (sample, value) = line.rsplit_once(' ')?;
            let (found, labels) = sample.split_once('{').unwrap_or((sample, ""));
            (found == name && labels.contains(label)).then(|| value.parse::<f64>().ok()).flatten()
        });
        let values: Vec<f64> = samples.collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
    }

    /// Calls, legs and ports that there are. A gauge that is not on the page counts as one.
    fn left_over(&self) -> u64 {
        let gauge = |name, label| self.sum(name, label).unwrap_or(1);
        gauge("fernamt_calls", "") + gauge("fernamt_legs", "") + gauge("fernamt_ports", "state=\"in-use\"")
    }
}

impl Record {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn is_connected(&self) -> bool {
        !self.0["connected_at"].is_null()
    }

    fn is(&self, fate: Fate) -> bool {
        let cause = self.text("cause");
        match fate {
            Fate::Talks => self.is_connected() && matches!(cause, "caller-hung-up" | "called-hung-up"),
            Fate::GivesUp => !self.is_connected() && cause == "abandoned",
            Fate::LeavesTheFlow => !self.is_connected() && cause == "caller-hung-up",
            Fate::Closed => !self.is_connected() && cause == "flow-ended",
            Fate::Refused(status) => !self.is_connected() && self.0["status"] == status,
        }
    }
}

impl Verdict {
    /// Compares each caller's record with his fate and with whom he heard: `both` gives for a caller the agents whom he
    /// heard and who heard him, `heard` everybody whom he heard.
    pub(super) fn of(
        callers: &[Caller],
        records: &[Record],
        both: impl Fn(usize) -> Vec<&'static str>,
        heard: impl Fn(usize) -> usize,
    ) -> Verdict {
        let mut verdict = Verdict {
            calls: callers.len(),
            answered: records.iter().filter(|record| record.is_connected()).count(),
            abandoned: records.iter().filter(|record| record.text("cause") == "abandoned").count(),
            records: records.len(),
            ..Verdict::default()
        };
        for (index, caller) in callers.iter().enumerate() {
            let number = cast::number(index as u8);
            let own: Vec<&Record> = records.iter().filter(|record| record.text("from") == number).collect();
            let [record] = own[..] else {
                verdict.troubles.push(format!("{}: {} records instead of one", caller.name, own.len()));
                continue;
            };
            if !record.is(caller.fate) {
                let ended = (record.text("cause"), &record.0["status"], record.is_connected());
                verdict.troubles.push(format!("{}: unexpected end: {ended:?}", caller.name));
            }
            let agent: Vec<&str> = record.0["agent"].as_str().into_iter().collect();
            let pairs = both(index);
            if record.is_connected() && pairs == agent && heard(index) == 1 {
                verdict.sound_both_ways += 1;
            } else if heard(index) > 0 || record.is_connected() {
                let of = format!("{} of {} heard", pairs.join(" and "), heard(index));
                verdict.troubles.push(format!("{}: sound: record has {agent:?}, {of}", caller.name));
            }
        }
        verdict
    }

    /// The sums: INVITEs, calls, queues, sound, and what is left.
    pub(super) fn add_up(&mut self, books: &Books<'_>) -> Result<(), String> {
        let (status, page) = (books.status()?, books.metrics()?);
        let invites = |outcome| page.sum("fernamt_sip_invites_total", outcome).unwrap_or(0);
        let parts =
            ["admitted", "challenged", "refused", "dropped"].map(|outcome| (invites(outcome), outcome));
        self.sum("INVITEs", (page.sum("fernamt_sip_invites_read_total", "").unwrap_or(0), "read"), &parts);
        self.sum("calls", (self.calls as u64, "made"), &[(invites("admitted"), "admitted")]);
        self.sum("records", (invites("admitted"), "admitted"), &[(self.records as u64, "records")]);
        for queue in &status.queues {
            let sums = &queue.sums;
            let left = [(sums.answered, "answered"), (sums.abandoned, "abandoned")];
            let rest = [(sums.left_otherwise(), "left otherwise"), (sums.waiting, "waiting")];
            self.sum(&format!("queue {}", queue.name), (sums.entered, "entered"), &[left, rest].concat());
        }
        let in_queues = status.queues.iter().map(|queue| queue.sums.answered).sum();
        self.sum("answered", (self.answered as u64, "records"), &[(in_queues, "in the queues")]);
        self.sum("sound", (self.answered as u64, "answered"), &[(self.sound_both_ways as u64, "both ways")]);
        self.left_over = page.left_over();
        self.sum("left over", (self.left_over, "calls, legs and ports"), &[(0, "")]);
        Ok(())
    }

    /// One line of the sums; a trouble if it does not add up.
    fn sum(&mut self, what: &str, (whole, whole_name): (u64, &str), parts: &[(u64, &str)]) {
        let told: Vec<String> = parts.iter().map(|(count, name)| format!("{count} {name}")).collect();
        let line = format!("{what:<14} {whole} {whole_name} = {}", told.join(" + "));
        if whole != parts.iter().map(|(count, _)| count).sum::<u64>() {
            self.troubles.push(format!("does not add up: {line}"));
        }
        self.sums.push(line.trim_end().to_owned());
    }

    /// A trouble unless it holds.
    pub(super) fn hold(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.troubles.push(otherwise.to_owned());
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.troubles.is_empty()
    }

    pub(super) fn print(&self, books: &Books<'_>) -> Result<(), String> {
        println!("\nRecords (fernamt calls)\n{}", books.calls(false)?);
        println!("Sums\n  {}", self.sums.join("\n  "));
        match self.troubles[..] {
            [] => println!("\nEverything holds."),
            _ => println!("\nTROUBLE\n  {}", self.troubles.join("\n  ")),
        }
        Ok(())
    }

    /// For programs, in one line.
    pub(super) fn json(&self) -> String {
        let Verdict { calls, answered, abandoned, sound_both_ways, records, left_over, .. } = self;
        format!(
            "{{\"calls\":{calls},\"answered\":{answered},\"abandoned\":{abandoned},\
             \"sound_both_ways\":{sound_both_ways},\"records\":{records},\"left_over\":{left_over}}}"
        )
    }
}
