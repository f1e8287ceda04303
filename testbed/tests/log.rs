//! What an operator reads in the log about one call.

mod house;

use std::{
    io,
    sync::{Arc, Mutex},
};

use house::{ANNA, BO, QUEUE, anna, bo, the_end, world};
use testbed::{Behaviour, world::SECOND};

/// A log in memory.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The INFO lines of calls that `story` leaves behind: what is said and with what, without the span before it.
fn told(story: impl FnOnce()) -> Vec<String> {
    let paper = Paper::default();
    let writer = paper.clone();
    let log = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone());
    tracing::subscriber::with_default(log.finish(), story);
    let lines = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let line = |line: &str| {
        let (span, said) = line.split_once("router::call::")?;
        assert_eq!(span.matches("call{").count(), 1, "{line}");
        assert!(span.contains("call_id=") && !span.contains("agent="), "{line}");
        said.split_once(": ").map(|(_, said)| said.to_owned())
    };
    lines.lines().filter_map(line).collect()
}

#[test]
fn each_line_of_a_call_names_the_queue_and_the_agent_of_that_moment() {
    let told = told(|| {
        let short = QUEUE.replace("ring_timeout = \"20s\"", "ring_timeout = \"5s\"");
        let mut world = world(1, &[&short, BO, ANNA]);
        let caller = world.caller("caller");
        bo(&mut world, Behaviour::NeverAnswers);
        anna(&mut world, Behaviour::NeverAnswers);
        world.dials(caller, "+4930999");
        world.run_for(8 * SECOND);
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
    });
    assert_eq!(
        told,
        [
            "call arrived from=…er to=…99",
            "assigned queue=\"support\" agent=\"anna\"",
            "assigned queue=\"support\" agent=\"bo\"",
            "call ended queue=\"support\" agent=\"bo\" cause=\"abandoned\" fault=\"none\"",
        ]
    );
}

#[test]
fn a_telephone_without_sound_is_a_warning_that_says_where_to_look() {
    let told = told(|| {
        let mut world = world(2, &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::Answers(SECOND));
        world.mutes_in(agent, true, SECOND / 2);
        world.dials(caller, "+4930999");
        world.run_for(6 * SECOND);
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
    });
    let warnings: Vec<&String> = told.iter().filter(|line| line.contains("no sound")).collect();
    let [warning] = warnings[..] else { panic!("{told:#?}") };
    assert!(warning.contains("agent=\"anna\" queue=\"support\""), "{warning}");
    assert!(
        ["dead_air", "microphone", "media.ports", "SDP"].iter().all(|word| warning.contains(word)),
        "{warning}"
    );
}
