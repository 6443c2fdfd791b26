/// Red, green, blue.
pub(super) type Colour = [u8; 3];

pub(super) const BACKGROUND: Colour = [0x10, 0x14, 0x1c];
pub(super) const PANEL: Colour = [0x17, 0x1d, 0x28];
pub(super) const GRID: Colour = [0x2c, 0x36, 0x46];
pub(super) const TEXT: Colour = [0xe8, 0xee, 0xf6];
pub(super) const MUTED: Colour = [0x98, 0xa6, 0xb8];
pub(super) const PEAKS: Colour = [0x2f, 0x86, 0xc8];
pub(super) const LEVEL: Colour = [0x7c, 0xcb, 0xff];
pub(super) const CLIPPED: Colour = [0xff, 0x4d, 0x5e];
pub(super) const SPEECH: Colour = [0x3f, 0xd6, 0x9a];
pub(super) const MOMENTARY: Colour = [0x7b, 0x66, 0x3c];
pub(super) const SHORT_TERM: Colour = [0xff, 0xb6, 0x4a];
pub(super) const INTEGRATED: Colour = [0xff, 0xe9, 0xa8];

/// From silence to the loudest: dark and violet to orange and light, even in lightness for the eye.
const HEAT: [Colour; 9] = [
    [0x0b, 0x09, 0x18],
    [0x22, 0x10, 0x4c],
    [0x4b, 0x10, 0x79],
    [0x78, 0x1f, 0x81],
    [0xa8, 0x32, 0x7d],
    [0xd8, 0x45, 0x6c],
    [0xf5, 0x74, 0x5c],
    [0xfe, 0xb0, 0x78],
    [0xfc, 0xf3, 0xc8],
];

/// The colour of a share, 0 to 1.
pub(super) fn heat(share: f32) -> Colour {
    let at = share.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let (low, rest) = (at as usize, at.fract());
    let (from, to) = (HEAT[low], HEAT[(low + 1).min(HEAT.len() - 1)]);
    mix(from, to, rest)
}

/// `share` of the second over the first.
pub(super) fn mix(under: Colour, over: Colour, share: f32) -> Colour {
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(under[i]), f32::from(over[i]));
        (a + (b - a) * share.clamp(0.0, 1.0)).round() as u8
    })
}
