//! The sheet that every figure is drawn on: title, legend, axes, curves; and its parts, for figures of several plots.

use super::axis::Scale;
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend,
    ShapeStyle, Text, WHITE,
};
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width of the picture in pixels.
pub(super) const WIDTH: i32 = 960;
/// Height of the picture in pixels.
pub(super) const HEIGHT: i32 = 560;
/// Everything is drawn this much larger and shown smaller, since coordinates are whole numbers.
const FINE: i32 = 4;

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito 2008), darkest first.
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
const GREY: RGBColor = RGBColor(105, 105, 105);
const FAINT: RGBColor = RGBColor(225, 225, 225);
const SHADE: RGBColor = RGBColor(250, 232, 224);

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pen {
    /// A line.
    Solid,
    /// A broken line.
    Dashed,
    /// A line with a mark at each point.
    Marked,
    /// A broken line with a mark at each point.
    DashedMarked,
    /// Marks alone.
    Dots,
}

/// One curve.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// What the legend calls it.
    pub(super) label: String,
    /// Which colour of the palette; curves of one thing share it.
    pub(super) colour: usize,
    /// How it is drawn.
    pub(super) pen: Pen,
    /// Its points; where a stretch has none there are several pieces.
    pub(super) pieces: Vec<Vec<(f64, f64)>>,
}

/// A value that deserves a line across the whole plot, upright.
#[derive(Clone, Debug)]
pub(super) struct Landmark {
    /// Where on the x axis.
    pub(super) at: f64,
    /// What it is.
    pub(super) label: String,
}

/// What stands around curves: words about the figure, and its axes.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    /// What it shows.
    pub(super) title: String,
    /// Under which conditions.
    pub(super) subtitle: String,
    /// What the x axis measures.
    pub(super) x_name: String,
    /// What the y axis measures.
    pub(super) y_name: String,
    /// The x axis.
    pub(super) x: Scale,
    /// The y axis.
    pub(super) y: Scale,
}

/// A figure before it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// What stands around the curves.
    pub(super) axes: Axes,
    /// The curves.
    pub(super) curves: Vec<Curve>,
    /// Upright lines.
    pub(super) landmarks: Vec<Landmark>,
    /// Stretches of the x axis in another shade, behind everything.
    pub(super) shades: Vec<Shade>,
}

/// A stretch of the x axis during which something was the case.
#[derive(Clone, Debug)]
pub(super) struct Shade {
    /// Where it begins and ends.
    pub(super) between: (f64, f64),
    /// What was the case.
    pub(super) label: String,
}

/// Where everything is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Why a figure could not be drawn.
pub type DrawError = Box<dyn std::error::Error>;

impl Sheet {
    /// The figure as an SVG document. The same sheet gives the same bytes everywhere.
    pub(super) fn draw(&self) -> Result<String, DrawError> {
        let mut svg = String::new();
        {
            let area = paper(&mut svg, HEIGHT)?;
            let top = heading(&area, &self.axes.title, &self.axes.subtitle, &self.curves)?;
            let frame = Frame::new(top, HEIGHT - 62);
            for shade in &self.shades {
                self.shade(&area, &frame, shade)?;
            }
            self.draw_axes(&area, &frame)?;
            for shade in &self.shades {
                self.name_shade(&area, &frame, shade)?;
            }
            for landmark in &self.landmarks {
                self.landmark(&area, &frame, landmark)?;
            }
            for curve in &self.curves {
                trace(&area, &frame, (&self.axes.x, &self.axes.y), curve)?;
            }
            area.present()?;
        }
        Ok(shown(&svg, HEIGHT))
    }

    fn draw_axes(&self, area: &Area<'_>, frame: &Frame) -> Result<(), DrawError> {
        grid(area, frame, &self.axes.x, (&self.axes.y, &self.axes.y.ticks()))?;
        x_labels(area, frame, &self.axes.x)?;
        names(area, frame, &self.axes.x_name, &self.axes.y_name)
    }

    /// At least a pixel wide: what was short is seen too.
    fn shade(&self, area: &Area<'_>, frame: &Frame, shade: &Shade) -> Result<(), DrawError> {
        let (from, to) = shade.between;
        let left = frame.x(self.axes.x.place(from));
        let right = frame.x(self.axes.x.place(to)).max(left + 1);
        let corners = [(left * FINE, frame.top * FINE), (right * FINE, frame.bottom * FINE)];
        area.draw(&Rectangle::new(corners, SHADE.filled()))?;
        Ok(())
    }

    fn name_shade(&self, area: &Area<'_>, frame: &Frame, shade: &Shade) -> Result<(), DrawError> {
        let at = self.axes.x.place(shade.between.0);
        let (gap, across) = if at > 0.7 { (-4, HPos::Right) } else { (4, HPos::Left) };
        let words = Words { size: 11, colour: GREY, across, ..Words::default() };
        write(area, &shade.label, (frame.x(at) + gap, frame.top + 10), &words)
    }

    fn landmark(&self, area: &Area<'_>, frame: &Frame, landmark: &Landmark) -> Result<(), DrawError> {
        let place = self.axes.x.place(landmark.at);
        let x = frame.x(place);
        line(area, (x, frame.top), (x, frame.bottom), GREY, 1)?;
        let right_half = place > 0.5;
        let (at, across) = if right_half { (x - 6, HPos::Right) } else { (x + 6, HPos::Left) };
        write(
            area,
            &landmark.label,
            (at, frame.top + 12),
            &Words { size: 12, colour: GREY, across, ..Words::default() },
        )
    }
}

/// An empty picture and what is written into it.
pub(super) fn paper(svg: &mut String, height: i32) -> Result<Area<'_>, DrawError> {
    let size = (u32::try_from(WIDTH * FINE)?, u32::try_from(height * FINE)?);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    Ok(area)
}

/// The picture at the size at which it is shown.
pub(super) fn shown(svg: &str, height: i32) -> String {
    let drawn = format!("<svg width=\"{}\" height=\"{}\"", WIDTH * FINE, height * FINE);
    let shown = format!("<svg width=\"{WIDTH}\" height=\"{height}\"");
    debug_assert!(svg.starts_with(&drawn), "the backend states the size first");
    svg.replacen(&drawn, &shown, 1).replace("\r\n", "\n")
}

/// Title, subtitle and legend; gives the y coordinate below them.
pub(super) fn heading(area: &Area<'_>, title: &str, subtitle: &str, legend: &[Curve]) -> Result<i32, DrawError> {
    write(area, title, (24, 24), &Words { size: 20, bold: true, ..Words::default() })?;
    write(area, subtitle, (24, 49), &Words { size: 13, colour: GREY, ..Words::default() })?;
    let (mut x, mut y) = (24, 76);
    for curve in legend {
        let width = 34 + text_width(&curve.label, 13) + 24;
        if x > 24 && x + width > WIDTH - 24 {
            (x, y) = (24, y + 20);
        }
        stroke(area, &[(f64::from(x), f64::from(y)), (f64::from(x + 26), f64::from(y))], curve)?;
        if curve.pen != Pen::Solid && curve.pen != Pen::Dashed {
            dot(area, (f64::from(x + 13), f64::from(y)), curve)?;
        }
        write(area, &curve.label, (x + 34, y), &Words { size: 13, ..Words::default() })?;
        x += width;
    }
    Ok(y + 22)
}

/// The axes with lines at the ticks, and what stands at those of the y axis.
pub(super) fn grid(
    area: &Area<'_>,
    frame: &Frame,
    x_scale: &Scale,
    (y_scale, y_ticks): (&Scale, &[f64]),
) -> Result<(), DrawError> {
    for tick in x_scale.ticks() {
        let x = frame.x(x_scale.place(tick));
        line(area, (x, frame.top), (x, frame.bottom), FAINT, 1)?;
    }
    for &tick in y_ticks {
        let y = frame.y(y_scale.place(tick));
        line(area, (frame.left, y), (frame.right, y), FAINT, 1)?;
        let words = Words { size: 12, colour: GREY, across: HPos::Right, ..Words::default() };
        write(area, &y_scale.label(tick), (frame.left - 8, y), &words)?;
    }
    line(area, (frame.left, frame.bottom), (frame.right, frame.bottom), GREY, 1)?;
    line(area, (frame.left, frame.top), (frame.left, frame.bottom), GREY, 1)
}

/// What stands at the ticks of the x axis.
pub(super) fn x_labels(area: &Area<'_>, frame: &Frame, x_scale: &Scale) -> Result<(), DrawError> {
    for tick in x_scale.ticks() {
        let words = Words { size: 12, colour: GREY, across: HPos::Center, ..Words::default() };
        write(area, &x_scale.label(tick), (frame.x(x_scale.place(tick)), frame.bottom + 15), &words)?;
    }
    Ok(())
}

/// What the axes measure.
pub(super) fn names(area: &Area<'_>, frame: &Frame, x_name: &str, y_name: &str) -> Result<(), DrawError> {
    let words = Words { size: 13, across: HPos::Center, ..Words::default() };
    write(area, x_name, (i32::midpoint(frame.left, frame.right), frame.bottom + 42), &words)?;
    write(area, y_name, (18, i32::midpoint(frame.top, frame.bottom)), &Words { upright: true, ..words })
}

/// What a small plot shows, above its left end.
pub(super) fn caption(area: &Area<'_>, frame: &Frame, words: &str) -> Result<(), DrawError> {
    write(area, words, (frame.left, frame.top - 11), &Words { size: 13, ..Words::default() })
}

/// A curve within a frame.
pub(super) fn trace(
    area: &Area<'_>,
    frame: &Frame,
    (x_scale, y_scale): (&Scale, &Scale),
    curve: &Curve,
) -> Result<(), DrawError> {
    for piece in &curve.pieces {
        let place = |&(x, y): &(f64, f64)| frame.at(x_scale.place(x), y_scale.place(y));
        let points: Vec<(f64, f64)> = piece.iter().map(place).collect();
        if curve.pen != Pen::Dots {
            stroke(area, &points, curve)?;
        }
        if curve.pen != Pen::Solid && curve.pen != Pen::Dashed {
            for &point in &points {
                dot(area, point, curve)?;
            }
        }
    }
    Ok(())
}

/// Where the plot itself lies, in pixels.
pub(super) struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Frame {
    /// From the one height to the other, over the width of the picture.
    pub(super) const fn new(top: i32, bottom: i32) -> Self {
        Self { left: 84, right: WIDTH - 36, top, bottom }
    }

    fn at(&self, across: f64, up: f64) -> (f64, f64) {
        let x = f64::from(self.left) + across * f64::from(self.right - self.left);
        let y = f64::from(self.bottom) - up * f64::from(self.bottom - self.top);
        (x, y)
    }

    fn x(&self, across: f64) -> i32 {
        whole(self.at(across, 0.0).0)
    }

    fn y(&self, up: f64) -> i32 {
        whole(self.at(0.0, up).1)
    }
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates; coordinates are small")]
fn whole(value: f64) -> i32 {
    libm::round(value) as i32
}

fn fine((x, y): (f64, f64)) -> (i32, i32) {
    (whole(x * f64::from(FINE)), whole(y * f64::from(FINE)))
}

/// How words are set.
struct Words {
    size: i32,
    bold: bool,
    colour: RGBColor,
    across: HPos,
    upright: bool,
}

impl Default for Words {
    fn default() -> Self {
        Self { size: 13, bold: false, colour: BLACK, across: HPos::Left, upright: false }
    }
}

/// An upper estimate of the width of sans-serif words, in pixels.
fn text_width(words: &str, size: i32) -> i32 {
    let chars = i32::try_from(words.chars().count()).unwrap_or(i32::MAX / 100);
    chars * size * 54 / 100
}

fn write(area: &Area<'_>, words: &str, (x, y): (i32, i32), how: &Words) -> Result<(), DrawError> {
    let style = if how.bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = ("sans-serif", how.size * FINE).into_font().style(style);
    let font = if how.upright { font.transform(plotters::style::FontTransform::Rotate270) } else { font };
    let text = font.color(&how.colour).pos(Pos::new(how.across, VPos::Center));
    area.draw(&Text::new(words.to_owned(), (x * FINE, y * FINE), text))?;
    Ok(())
}

fn line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor, width: u32) -> Result<(), DrawError> {
    let style = ShapeStyle { color: colour.to_rgba(), filled: true, stroke_width: width * FINE.unsigned_abs() };
    let points = [from, to].map(|(x, y)| (x * FINE, y * FINE));
    area.draw(&PathElement::new(points, style))?;
    Ok(())
}

fn colour(curve: &Curve) -> RGBColor {
    PALETTE[curve.colour % PALETTE.len()]
}

fn dot(area: &Area<'_>, point: (f64, f64), curve: &Curve) -> Result<(), DrawError> {
    let (x, y) = fine(point);
    let radius = if curve.pen == Pen::Dots { 2 * FINE } else { 7 * FINE / 2 };
    match curve.pen {
        // Another shape, so that the two kinds differ without colour too.
        Pen::DashedMarked => {
            let corners = [(x - radius, y - radius), (x + radius, y + radius)];
            area.draw(&Rectangle::new(corners, colour(curve).filled()))?;
        }
        _ => area.draw(&Circle::new((x, y), radius, colour(curve).filled()))?,
    }
    Ok(())
}

/// Draws a line through points given in pixels; broken ones as dashes of 7 pixels with gaps of 5.
fn stroke(area: &Area<'_>, points: &[(f64, f64)], curve: &Curve) -> Result<(), DrawError> {
    let dashed = matches!(curve.pen, Pen::Dashed | Pen::DashedMarked);
    let style = ShapeStyle { color: colour(curve).to_rgba(), filled: true, stroke_width: 2 * FINE.unsigned_abs() };
    if curve.pen == Pen::Dots {
        return Ok(());
    }
    let pieces = if dashed { dashes(points, 7.0, 5.0) } else { vec![points.to_vec()] };
    for piece in pieces {
        area.draw(&PathElement::new(piece.into_iter().map(fine).collect::<Vec<_>>(), style))?;
    }
    Ok(())
}

/// Cuts a line into dashes.
fn dashes(points: &[(f64, f64)], dash: f64, gap: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let (mut drawing, mut left) = (true, dash);
    let mut piece: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut at, to) = (pair[0], pair[1]);
        loop {
            let (dx, dy) = (to.0 - at.0, to.1 - at.1);
            let length = libm::sqrt(dx * dx + dy * dy);
            if length <= left {
                left -= length;
                if drawing {
                    piece.push(to);
                }
                break;
            }
            at = (at.0 + dx * left / length, at.1 + dy * left / length);
            if drawing {
                piece.push(at);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![at];
            }
            drawing = !drawing;
            left = if drawing { dash } else { gap };
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}
