//! Calls against a running router: `calls --pid PID --mode direct --rate 500 --calls 10000`.

use std::process::ExitCode;

use bench::calls::{Load, run};
use clap::Parser;

fn main() -> ExitCode {
    let load = Load::parse();
    match measure(&load) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}; is the router running, and are our addresses free?");
            ExitCode::from(2)
        }
    }
}

fn measure(load: &Load) -> std::io::Result<u64> {
    let report = run(load)?;
    if load.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    Ok(report.failed())
}
