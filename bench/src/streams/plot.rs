//! The figures, drawn.

use std::{fmt, io, path::Path};

use plotters::prelude::{ChartBuilder, Circle, IntoDrawingArea, LineSeries, RGBColor, SVGBackend, WHITE};

use super::Mode;

/// Dark enough for a thin line, in the order of [`Mode::ALL`].
const COLOURS: [RGBColor; Mode::ALL.len()] = [
    RGBColor(0xe6, 0x19, 0x4b),
    RGBColor(0x3c, 0xb4, 0x4b),
    RGBColor(0xb8, 0x86, 0x0b),
    RGBColor(0x00, 0x82, 0xc8),
    RGBColor(0xf5, 0x82, 0x31),
    RGBColor(0x91, 0x1e, 0xb4),
    RGBColor(0x00, 0xa0, 0xb0),
    RGBColor(0xf0, 0x32, 0xe6),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0xff, 0x6f, 0x61),
    RGBColor(0x00, 0x80, 0x80),
    RGBColor(0x7b, 0x68, 0xee),
    RGBColor(0xaa, 0x6e, 0x28),
    RGBColor(0x70, 0x80, 0x90),
    RGBColor(0x80, 0x00, 0x00),
];

/// A line for each mode: packets per CPU-second over packets a second.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(
    file: &Path,
    modes: &[Mode],
    rates: &[u64],
    figure: impl Fn(Mode, u64) -> Option<f64>,
) -> io::Result<()> {
    let points = |mode: Mode| {
        rates
            .iter()
            .filter_map(|rate| Some((*rate as f64 / 1_000.0, figure(mode, *rate)? / 1_000.0)))
            .collect()
    };
    let lines: Vec<(Mode, Vec<(f64, f64)>)> = modes.iter().map(|mode| (*mode, points(*mode))).collect();
    let most = |axis: fn(&(f64, f64)) -> f64| {
        lines.iter().flat_map(|(_, line)| line.iter().map(axis)).fold(0.0, f64::max)
    };
    let (right, top) = (most(|point| point.0), 1.05 * most(|point| point.1));
    let page = SVGBackend::new(file, (1_000, 520)).into_drawing_area();
    page.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&page)
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..1.9 * right, 0.0..top) // the right half is for the names
        .map_err(failed)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("thousand packets a second")
        .y_desc("thousand packets per CPU-second")
        .draw()
        .map_err(failed)?;
    for (mode, line) in lines {
        let colour = COLOURS[mode as usize];
        let series = chart.draw_series(LineSeries::new(line, &colour)).map_err(failed)?;
        series.label(mode.name()).legend(move |at| Circle::new(at, 4, colour));
    }
    chart.configure_series_labels().draw().map_err(failed)?;
    page.present().map_err(failed)
}

fn failed(error: impl fmt::Display) -> io::Error {
    io::Error::other(format!("the plot: {error}"))
}
