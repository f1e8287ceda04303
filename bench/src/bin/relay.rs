//! Relays of sound side by side: `relay --calls 1000 --rates 100000,200000 --rounds 3`.

use std::process::ExitCode;

use bench::relay::{Contender, Load, Run, run};
use clap::Parser;

// As in the router.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match measure(&Load::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}; a call needs two sockets: see `ulimit -n`");
            ExitCode::from(2)
        }
    }
}

fn measure(load: &Load) -> std::io::Result<()> {
    println!(
        "| packets a second | relay | packets per CPU-second, min / median / max | of the bare one | delay p50 | p99 | lost |"
    );
    println!("|---|---|---|---|---|---|---|");
    for &rate in &load.rates {
        let mut runs = Vec::new();
        for _ in 0..load.rounds {
            for contender in Contender::ALL {
                runs.push(run(load, contender, rate)?);
            }
        }
        let bare = figures(&runs, Contender::Bare);
        for contender in Contender::ALL {
            row(rate, contender, &runs, bare[bare.len() / 2]);
        }
    }
    Ok(())
}

/// Packets per CPU-second of each round, in order of size.
fn figures(runs: &[Run], contender: Contender) -> Vec<f64> {
    let mut figures: Vec<f64> =
        runs.iter().filter(|run| run.contender == contender).map(Run::per_cpu_second).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn row(rate: u64, contender: Contender, runs: &[Run], bare: f64) {
    let figures = figures(runs, contender);
    let (least, median, most) = (figures[0], figures[figures.len() / 2], figures[figures.len() - 1]);
    let ours = || runs.iter().filter(|run| run.contender == contender);
    let worst = |part: f64| ours().map(|run| run.heard.delay_ms(part)).fold(0.0, f64::max);
    let lost: u64 = ours().map(|run| run.heard.lost()).sum();
    println!(
        "| {rate} | {} | {least:.0} / {median:.0} / {most:.0} | {:.2} | {:.3} ms | {:.3} ms | {lost} |",
        contender.name(),
        median / bare,
        worst(0.5),
        worst(0.99),
    );
}
