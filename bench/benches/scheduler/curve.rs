//! How cost grows with the number waiting, drawn.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use plotters::prelude::{
    BLUE, ChartBuilder, Circle, GREEN, IntoDrawingArea, IntoLogRange, LineSeries, RED, RGBColor, SVGBackend,
    WHITE,
};
use scheduler::Scheduler;

use crate::{
    floor::{Backlog, Floor, Scene},
    mutex::Locked,
    skiplist::SkipLists,
};

const SIZES: [u32; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
/// The best of so many rounds: whatever else runs here only makes a round slower.
const ROUNDS: usize = 15;

/// Nanoseconds at each size.
struct Series {
    name: &'static str,
    colour: RGBColor,
    /// Of a cycle, of giving up and posting, of a position.
    points: [Vec<(u32, f64)>; 3],
}

/// One queue for every thousand waiting, twenty agents a queue who serve up to five: a growing country.
fn scene(callers: u32) -> Scene {
    let lines = callers.div_ceil(1_000);
    Scene { callers, agents: lines * 20, lines, memberships: lines.min(5) }
}

fn best(times: u32, mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..times).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(times)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn measure<F: Floor>(colour: RGBColor) -> Series {
    let mut series = Series { name: F::NAME, colour, points: Default::default() };
    for callers in SIZES {
        let scene = scene(callers);
        let floor: F = scene.floor();
        let mut backlog = Backlog::new(&floor, scene);
        (0..callers.min(100_000)).for_each(|_| backlog.cycle());
        series.points[0].push((callers, best(20_000, || backlog.cycle())));
        series.points[1].push((callers, best(20_000, || backlog.abandon())));
        series.points[2].push((callers, best(200, || _ = black_box(backlog.position()))));
    }
    series
}

/// Measures, prints the table and draws `bench/results/scheduler.svg`.
pub(crate) fn draw() {
    let all = [measure::<Scheduler>(BLUE), measure::<Locked>(RED), measure::<SkipLists>(GREEN)];
    print(&all);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/scheduler.svg");
    let page = SVGBackend::new(&file, (1_200, 420)).into_drawing_area();
    page.fill(&WHITE).expect("the plot is written");
    let parts = page.split_evenly((1, 3));
    let titles = ["an assignment and a post", "giving up and a post", "position"];
    for (at, (part, title)) in parts.iter().zip(titles).enumerate() {
        let mut chart = ChartBuilder::on(part)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d((10_u32..1_000_000).log_scale(), (10_f64..10_000_000.0).log_scale())
            .expect("the plot is drawn");
        chart.configure_mesh().x_desc("callers waiting").y_desc("ns").draw().expect("the plot is drawn");
        for series in &all {
            let points = series.points[at].iter().copied();
            let line = chart.draw_series(LineSeries::new(points.clone(), &series.colour));
            let colour = series.colour;
            line.expect("the plot is drawn").label(series.name).legend(move |at| Circle::new(at, 4, colour));
        }
        chart.configure_series_labels().draw().expect("the plot is drawn");
    }
    page.present().expect("the plot is written");
}

fn print(all: &[Series]) {
    println!("\nns (best of {ROUNDS} rounds): cycle / give up and post / position");
    for (at, callers) in SIZES.iter().enumerate() {
        print!("{callers:>9} waiting");
        for series in all {
            let [cycle, abandon, position] = series.points.each_ref().map(|points| points[at].1);
            print!("   {} {cycle:.0} / {abandon:.0} / {position:.0}", series.name);
        }
        println!();
    }
}
