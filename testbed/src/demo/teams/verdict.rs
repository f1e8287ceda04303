//! What the router has written down, and what Teams has seen of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::books::{Books, Record},
    house::{ANNA, BO, CLEO, TELEPHONES},
    stage::Stage,
};

/// How long the journal may take.
const SETTLE: Duration = Duration::from_secs(2);

/// What came of it all.
pub(super) struct Verdict {
    records: usize,
    left_over: u64,
    violations: Vec<String>,
    lines: Vec<String>,
    troubles: Vec<String>,
}

impl Verdict {
    pub(super) async fn of(stage: &mut Stage, books: &Books<'_>) -> Result<Verdict, String> {
        stage.pass(SETTLE).await;
        let records = books.records()?;
        let seen = stage.teams.proxy.seen.clone();
        let mut verdict = Verdict {
            records: records.len(),
            left_over: books.left_over()?,
            violations: seen.violations.clone(),
            lines: Vec::new(),
            troubles: stage.troubles.clone(),
        };
        verdict.troubles.extend(seen.violations.iter().map(|what| format!("violation: {what}")));
        verdict.is("records", records.len(), 10);
        verdict.is("left over: calls, legs and ports", verdict.left_over, 0);
        verdict.is("transfers that came back byte for byte", seen.transfers, 2);
        verdict.is("data centres that were asked by OPTIONS", seen.options.len(), 3);
        verdict.is("sessions refreshed by Teams", seen.refreshed, 1);
        verdict.is(
            "calls taken back from Cleo as completed elsewhere",
            stage.teams.proxy.people[CLEO].spared,
            2,
        );
        verdict.is("missed calls that people see in Teams", stage.teams.proxy.missed(), 0);
        let shown = &stage.teams.proxy.people[ANNA].shown;
        let named = shown.iter().any(|name| name.contains("support: ") || name.contains("night: "));
        verdict.is("Anna sees the queue's name with the caller", named, true);
        verdict.spoke(&records, 0, &["anna", "bo"]);
        verdict.spoke(&records, 1, &["bo"]);
        verdict.spoke(&records, 2, &["anna"]);
        verdict.spoke(&records, 3, &["anna"]);
        verdict.spoke(&records, 4, &["anna", "dora"]);
        verdict.took_the_place(&records, 5, &stage.teams.proxy.people[BO].number);
        verdict.spoke(&records, 6, &["bo"]);
        verdict.spoke(&records, 7, &["anna"]);
        verdict.refused(&records, 2);
        Ok(verdict)
    }

    fn is<T: PartialEq + std::fmt::Display>(&mut self, what: &str, is: T, ought: T) {
        if is != ought {
            self.troubles.push(format!("{what}: {is} instead of {ought}"));
        }
        self.lines.push(format!("{what}: {is}"));
    }

    /// The agents of a caller's segments, in order.
    fn spoke(&mut self, records: &[Record], caller: usize, agents: &[&str]) {
        let number = TELEPHONES[caller].0;
        let segments = of(records, number).map(|record| record["segments"].clone()).unwrap_or_default();
        let spoke: Vec<String> = segments
            .as_array()
            .into_iter()
            .flatten()
            .map(|segment| segment["agent"].as_str().unwrap_or("?").to_owned())
            .collect();
        self.is(&format!("{number} spoke with"), spoke.join(", then "), agents.join(", then "));
    }

    /// Who speaks with a caller since another's place was taken: the last of his legs.
    fn took_the_place(&mut self, records: &[Record], caller: usize, taker: &str) {
        let number = TELEPHONES[caller].0;
        let legs = of(records, number).map(|record| record["legs"].clone()).unwrap_or_default();
        let last = legs.as_array().and_then(|legs| legs.last()?["party"].as_str());
        self.is(&format!("for {number} the place was taken by"), last.unwrap_or("nobody"), taker);
    }

    /// What each leg of a caller came to that came to nothing, with what Teams said.
    fn refused(&mut self, records: &[Record], caller: usize) {
        let legs = of(records, TELEPHONES[caller].0).map(|record| record["legs"].clone()).unwrap_or_default();
        let failed: Vec<String> = legs
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|leg| {
                let (agent, status) = (leg["agent"].as_str()?, leg["status"].as_u64()?);
                (status >= 300).then(|| format!("{agent} {status}"))
            })
            .collect();
        self.is(
            "came to nothing for him",
            failed.join(", "),
            "cleo 603, dora 486, fritz 480, gina 480, emil 480".to_owned(),
        );
        let with_guid = |leg: &&Value| leg["correlation"].as_str().is_some_and(|guid| !guid.is_empty());
        let told = legs.as_array().into_iter().flatten().filter(with_guid).count();
        self.is("of these with the correlation of Teams", told, 3);
    }

    /// A trouble unless it holds.
    pub(super) fn hold(&mut self, told: bool) {
        if !told {
            self.troubles.push("the story was not told to its end".to_owned());
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.troubles.is_empty()
    }

    pub(super) fn print(&self, books: &Books<'_>) -> Result<(), String> {
        println!("\nRecords (fernamt calls)\n{}", books.calls(false)?);
        println!("Sums\n  {}\n  violations: {}", self.lines.join("\n  "), self.violations.len());
        match self.troubles[..] {
            [] => println!("\nEverything holds."),
            _ => println!("\nTROUBLE\n  {}", self.troubles.join("\n  ")),
        }
        Ok(())
    }

    /// For programs, in one line.
    pub(super) fn json(&self) -> String {
        json!({
            "records": self.records,
            "left_over": self.left_over,
            "violations": self.violations,
            "troubles": self.troubles,
        })
        .to_string()
    }
}

/// The record of who called from this number.
fn of<'r>(records: &'r [Record], number: &str) -> Option<&'r Value> {
    records.iter().map(|Record(value)| value).find(|record| record["from"] == number)
}
