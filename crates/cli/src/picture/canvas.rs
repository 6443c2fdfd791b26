use std::convert::Infallible;
use std::ops::Range;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_9X15, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use super::colour::{BACKGROUND, Colour, mix};

/// In pixels.
pub(super) const WIDTH: usize = 1_600;
/// In pixels.
pub(super) const HEIGHT: usize = 1_040;

/// Where a text stands in relation to its point.
#[derive(Clone, Copy)]
pub(super) enum Stand {
    /// The point is at its left end.
    Left,
    Centre,
    Right,
}

/// Pixels. What is drawn outside is not there.
pub(super) struct Canvas(Vec<u8>);

impl Canvas {
    pub(super) fn new() -> Self {
        Self(BACKGROUND.repeat(WIDTH * HEIGHT))
    }

    /// Red, green, blue; rows from the top.
    pub(super) fn pixels(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn dot(&mut self, x: usize, y: usize, colour: Colour, share: f32) {
        if x < WIDTH && y < HEIGHT {
            let at = 3 * (y * WIDTH + x);
            let under = [self.0[at], self.0[at + 1], self.0[at + 2]];
            self.0[at..at + 3].copy_from_slice(&mix(under, colour, share));
        }
    }

    pub(super) fn fill(&mut self, xs: Range<usize>, ys: Range<usize>, colour: Colour, share: f32) {
        for y in ys {
            for x in xs.clone() {
                self.dot(x, y, colour, share);
            }
        }
    }

    /// A line from left to right of dashes; `gap` 0 is a whole one.
    pub(super) fn line(&mut self, xs: Range<usize>, y: usize, colour: Colour, gap: usize) {
        for x in xs {
            if gap == 0 || x % (2 * gap) < gap {
                self.dot(x, y, colour, 1.0);
            }
        }
    }

    /// Words of the larger font, with their middle at the height `y`.
    pub(super) fn title(&mut self, x: usize, y: usize, text: &str, colour: Colour, stand: Stand) {
        self.text(&FONT_10X20, x, y, text, colour, stand);
    }

    /// Words of the smaller font.
    pub(super) fn label(&mut self, x: usize, y: usize, text: &str, colour: Colour, stand: Stand) {
        self.text(&FONT_9X15, x, y, text, colour, stand);
    }

    fn text(&mut self, font: &MonoFont<'_>, x: usize, y: usize, text: &str, colour: Colour, stand: Stand) {
        let style = MonoTextStyle::new(font, Rgb888::new(colour[0], colour[1], colour[2]));
        let place = TextStyleBuilder::new()
            .baseline(Baseline::Middle)
            .alignment(match stand {
                Stand::Left => Alignment::Left,
                Stand::Centre => Alignment::Center,
                Stand::Right => Alignment::Right,
            })
            .build();
        let point = Point::new(x as i32, y as i32);
        let Ok(_) = Text::with_text_style(text, point, style, place).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, HEIGHT as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) {
                self.dot(x, y, [colour.r(), colour.g(), colour.b()], 1.0);
            }
        }
        Ok(())
    }
}
