//! Relays of sound side by side: `streams --calls 1000 --rates 100000,200000 --rounds 3`. `bench/streams` runs all of it.

use std::process::ExitCode;

use bench::streams::{Load, grow, print};
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
    match load.memory {
        Some(mode) => println!("{}", grow(mode, load.calls)?),
        None => print(load)?,
    }
    Ok(())
}
