//! Plots one above the other with the same axes: what lies over each other in one plot is seen apart.

use super::canvas::{Axes, Curve, DrawError, Frame, caption, grid, heading, names, paper, shown, trace, x_labels};

/// Height of one plot in pixels, and of the words above it.
const PLOT: i32 = 78;
const CAPTION: i32 = 24;
/// Height of what stands below the last.
const FOOT: i32 = 62;

/// One plot.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// What it shows.
    pub(super) label: String,
    /// Its curves, the one that matters last.
    pub(super) curves: Vec<Curve>,
}

/// A figure of several plots before it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// What stands around the plots; all have the same axes.
    pub(super) axes: Axes,
    /// What the curves are that all plots have.
    pub(super) legend: Vec<Curve>,
    /// The plots from top to bottom.
    pub(super) plots: Vec<Plot>,
}

impl Stack {
    /// The figure as an SVG document, as high as it takes.
    pub(super) fn draw(&self) -> Result<String, DrawError> {
        // A line of title, of subtitle and of legend.
        let top = 98;
        let count = i32::try_from(self.plots.len())?;
        let height = top + count * (PLOT + CAPTION) + FOOT;
        let mut svg = String::new();
        {
            let area = paper(&mut svg, height)?;
            heading(&area, &self.axes.title, &self.axes.subtitle, &self.legend)?;
            let mut bottom = top;
            let ticks = few(&self.axes.y.ticks());
            for plot in &self.plots {
                let frame = Frame::new(bottom + CAPTION, bottom + CAPTION + PLOT);
                grid(&area, &frame, &self.axes.x, (&self.axes.y, &ticks))?;
                caption(&area, &frame, &plot.label)?;
                for curve in &plot.curves {
                    trace(&area, &frame, (&self.axes.x, &self.axes.y), curve)?;
                }
                bottom += CAPTION + PLOT;
            }
            let whole = Frame::new(top + CAPTION, bottom);
            x_labels(&area, &whole, &self.axes.x)?;
            names(&area, &whole, &self.axes.x_name, &self.axes.y_name)?;
            area.present()?;
        }
        Ok(shown(&svg, height))
    }
}

/// At most four of the ticks, evenly spaced, with the first.
fn few(ticks: &[f64]) -> Vec<f64> {
    let every = ticks.len().div_ceil(4).max(1);
    ticks.iter().copied().step_by(every).collect()
}
