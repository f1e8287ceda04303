//! The outcome as a picture: service level by half hour, and the calls below it.

use plotters::{
    coord::Shift,
    prelude::{
        BLACK, ChartBuilder, DrawingArea, IntoDrawingArea, LineSeries, Palette, Palette99, PathElement,
        RGBColor, SVGBackend, WHITE,
    },
    style::Color,
};

use crate::simulate::{QueueReport, Report};

const SIZE: (u32, u32) = (1_000, 620);
const UPPER: u32 = 400;
const GREY: RGBColor = RGBColor(150, 150, 150);
const FONT: (&str, i32) = ("sans-serif", 15);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of the picture: its name, and a value for each half hour that has one.
struct Line {
    name: String,
    values: Vec<(f64, f64)>,
}

/// An SVG picture. With several staffings a line is a staffing of the queue that differs, else a queue.
///
/// # Errors
/// What the drawing library says.
pub(super) fn svg(report: &Report, goal: f64) -> Result<String, String> {
    let queues = shown(report);
    let clocks: Vec<String> = queues
        .first()
        .map(|(_, queue)| queue.half_hours.iter().map(|half_hour| half_hour.clock.clone()).collect())
        .unwrap_or_default();
    let level =
        |queue: &QueueReport| values(queue, |half_hour| Some(half_hour.figures.service_level.b? * 100.0));
    let levels: Vec<Line> =
        queues.iter().map(|(name, queue)| Line { name: name.clone(), values: level(queue) }).collect();
    let days = f64::from(report.days);
    let offered =
        |queue: &QueueReport| values(queue, |half_hour| Some(half_hour.figures.counts.offered as f64 / days));
    let mut calls: Vec<Line> =
        queues.iter().map(|(name, queue)| Line { name: name.clone(), values: offered(queue) }).collect();
    if report.staffings.len() > 1 {
        calls.truncate(1); // the same callers meet each staffing
    }
    let mut text = String::new();
    draw(&mut text, &clocks, &levels, &calls, goal * 100.0).map_err(|error| format!("--plot: {error}"))?;
    Ok(text)
}

/// Whose line is drawn, and its name.
fn shown(report: &Report) -> Vec<(String, &QueueReport)> {
    let first = &report.staffings[0];
    let busy = |queue: &&QueueReport| queue.total.counts.offered > 0;
    if report.staffings.len() == 1 {
        return first.queues.iter().filter(busy).map(|queue| (queue.queue.clone(), queue)).collect();
    }
    let last = &report.staffings[report.staffings.len() - 1];
    let differs = first.queues.iter().zip(&last.queues).position(|(few, many)| few.agents != many.agents);
    let queue = |index: usize| report.staffings.iter().map(move |staffing| &staffing.queues[index]);
    let each = differs.into_iter().flat_map(queue);
    each.map(|queue| (format!("{} agents", queue.agents), queue)).collect()
}

fn values(queue: &QueueReport, value: impl Fn(&crate::simulate::HalfHour) -> Option<f64>) -> Vec<(f64, f64)> {
    let points = queue.half_hours.iter().enumerate();
    points.filter_map(|(index, half_hour)| Some((index as f64 + 0.5, value(half_hour)?))).collect()
}

fn draw(
    text: &mut String,
    clocks: &[String],
    levels: &[Line],
    calls: &[Line],
    goal: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let page = SVGBackend::with_string(text, SIZE).into_drawing_area();
    page.fill(&WHITE)?;
    let (upper, lower) = page.split_vertically(UPPER);
    let most = calls.iter().flat_map(|line| &line.values).map(|(_, value)| *value).fold(1.0, f64::max);
    chart(&upper, "answered in time, %", clocks, levels, 100.0, Some(goal))?;
    chart(&lower, "calls a half hour", clocks, calls, most * 1.05, None)?;
    page.present()?;
    drop((upper, lower, page));
    Ok(())
}

fn chart(
    area: &Area<'_>,
    title: &str,
    clocks: &[String],
    lines: &[Line],
    most: f64,
    goal: Option<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let width = clocks.len().max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(48)
        .caption(title, FONT)
        .build_cartesian_2d(0.0..width, 0.0..most)?;
    let clock = |at: &f64| clocks.get(at.round() as usize).cloned().unwrap_or_default();
    chart
        .configure_mesh()
        .x_labels(clocks.len().clamp(2, 20))
        .x_label_formatter(&clock)
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(WHITE)
        .label_style(FONT)
        .draw()?;
    if let Some(goal) = goal {
        chart.draw_series(LineSeries::new([(0.0, goal), (width, goal)], GREY))?;
    }
    for (index, line) in lines.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let series = LineSeries::new(line.values.iter().copied(), colour.stroke_width(2));
        chart
            .draw_series(series)?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if lines.len() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .label_font(FONT)
            .draw()?;
    }
    Ok(())
}
