//! All runs, and what they came to in tables of Markdown.

use std::io;

use super::{Load, Mode, Run, plot, run};

/// Parts of a core that the relay is to be busy for, where delays are told.
const LOADS: [f64; 2] = [0.5, 0.8];

/// Measures and prints everything that was asked for.
///
/// # Errors
/// If sockets or threads are not to be had.
pub fn print(load: &Load) -> io::Result<()> {
    let mut modes = if load.modes.is_empty() { Mode::ALL.to_vec() } else { load.modes.clone() };
    let one = Load { seconds: 0, calls: 1, ..load.clone() };
    modes.retain(|mode| match mode {
        Mode::Uring | Mode::UringSweep | Mode::Rtpengine => match run(&one, *mode, 100) {
            Ok(_) => true,
            Err(error) => {
                println!("{} does not run here: {error}.\n", mode.name());
                false
            }
        },
        _ => true,
    });
    let rates = at_rates(load, &modes)?;
    by_rate(load, &modes, &rates);
    if let Some(file) = &load.plot {
        plot::draw(file, &modes, &load.rates, |mode, rate| median(&figures(&of(&rates, mode, rate))))?;
    }
    under_load(load, &modes, &rates)
}

fn at_rates(load: &Load, modes: &[Mode]) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for &rate in &load.rates {
        for _ in 0..load.rounds {
            for &mode in modes {
                // Past its limit only what it loses would be measured.
                let too_much = mode == Mode::Rtpengine
                    && runs.iter().any(|run| run.mode == mode && run.rate < rate && run.heard.lost() > 0);
                if !too_much {
                    runs.push(run(load, mode, rate)?);
                }
            }
        }
    }
    Ok(runs)
}

fn by_rate(load: &Load, modes: &[Mode], runs: &[Run]) {
    if !runs.iter().all(|run| run.real_time) {
        println!("Without real-time priority: whatever else ran is in the figures.\n");
    }
    println!(
        "| packets a second | relay | packets per CPU-second, min / median / max | of the bare one | delay p50 | p99 | lost |"
    );
    println!("|---|---|---|---|---|---|---|");
    for &rate in &load.rates {
        let bare = median(&figures(&of(runs, Mode::Bare, rate)));
        for &mode in modes {
            let runs = of(runs, mode, rate);
            let (Some(spread), Some(median)) = (spread(&figures(&runs)), median(&figures(&runs))) else {
                continue;
            };
            let ratio = bare.map_or(String::new(), |bare| format!("{:.2}", median / bare));
            println!("| {rate} | {} | {spread} | {ratio} | {} |", mode.name(), delays(&runs));
        }
    }
    println!();
}

/// The same at loads that are the same for all: parts of what each can do.
fn under_load(load: &Load, modes: &[Mode], runs: &[Run]) -> io::Result<()> {
    println!("| load of the core | relay | packets a second | delay p50 | p99 | lost |");
    println!("|---|---|---|---|---|---|");
    let line = |mode: Mode| -> Vec<(f64, f64)> {
        let loads = load.rates.iter().map(|rate| (*rate, of(runs, mode, *rate)));
        let loads = loads.filter(|(_, runs)| runs.iter().any(|run| run.heard.lost() == 0));
        loads.filter_map(|(rate, runs)| Some((rate as f64, rate as f64 / median(&figures(&runs))?))).collect()
    };
    for part in LOADS {
        let mut loaded = Vec::new();
        let rates = modes
            .iter()
            .filter(|mode| mode.is_whole())
            .filter_map(|mode| Some((*mode, rate_at(&line(*mode), part)? as u64)));
        let rates: Vec<(Mode, u64)> = rates.collect();
        for _ in 0..load.rounds {
            for (mode, rate) in &rates {
                loaded.push(run(load, *mode, *rate)?);
            }
        }
        for (mode, rate) in rates {
            let runs = of(&loaded, mode, rate);
            let mut busy: Vec<f64> =
                runs.iter().map(|run| 100.0 * run.cpu.as_secs_f64() / run.length.as_secs_f64()).collect();
            busy.sort_by(f64::total_cmp);
            println!(
                "| {:.0} % | {} | {rate} | {} |",
                median(&busy).unwrap_or(0.0),
                mode.name(),
                delays(&runs)
            );
        }
    }
    println!();
    Ok(())
}

/// The rate at which a core is loaded so much, by a line through what was measured: rates, and the load at each.
fn rate_at(line: &[(f64, f64)], part: f64) -> Option<f64> {
    let mut before = (0.0, 0.0);
    for &(rate, load) in line {
        if load >= part {
            return Some(before.0 + (rate - before.0) * (part - before.1) / (load - before.1));
        }
        before = (rate, load);
    }
    (before.1 > 0.0).then(|| before.0 * part / before.1)
}

fn of(runs: &[Run], mode: Mode, rate: u64) -> Vec<&Run> {
    runs.iter().filter(|run| run.mode == mode && run.rate == rate).collect()
}

/// Packets per CPU-second of each round, in order of size.
fn figures(runs: &[&Run]) -> Vec<f64> {
    let mut figures: Vec<f64> = runs.iter().map(|run| run.per_cpu_second()).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// p50 and p99, the median of the rounds of each, and what was lost in all of them.
fn delays(runs: &[&Run]) -> String {
    if runs.iter().all(|run| run.mode == Mode::Music) {
        return "– | – | –".into(); // it carries no time, and plays on while the last packets are counted
    }
    let of_rounds = |part: f64| {
        let mut delays: Vec<f64> = runs.iter().map(|run| run.heard.delay_ms(part)).collect();
        delays.sort_by(f64::total_cmp);
        median(&delays).unwrap_or(0.0)
    };
    let lost: u64 = runs.iter().map(|run| run.heard.lost()).sum();
    format!("{:.3} ms | {:.3} ms | {lost}", of_rounds(0.5), of_rounds(0.99))
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

fn spread(sorted: &[f64]) -> Option<String> {
    let (least, most) = (sorted.first()?, sorted.last()?);
    Some(format!("{least:.0} / {:.0} / {most:.0}", median(sorted)?))
}
