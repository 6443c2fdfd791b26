//! A sound as a picture: waveform, where somebody speaks, spectrogram and loudness over one time axis.

mod axis;
mod canvas;
mod collect;
mod colour;
mod panels;

use std::io::{self, Write};

use voxpost_audio::Report;

pub(crate) use collect::Collector;

use canvas::{Canvas, HEIGHT, WIDTH};

/// Draws what was collected and writes it as PNG.
pub(crate) fn write(name: &str, report: &Report, collected: Collector, out: impl Write) -> io::Result<()> {
    let mut canvas = Canvas::new();
    panels::draw(&mut canvas, name, report, &collected.finish());
    let mut encoder = png::Encoder::new(out, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(canvas.pixels())?;
    writer.finish()?;
    Ok(())
}
