use std::f64::consts::PI;

use super::{BLOCK, RATE};

/// Order of the filter: 24 dB per octave.
const ORDER: usize = 4;

/// A Butterworth high-pass in second-order sections, by the bilinear transform with the cut-off in its place.
pub(super) struct HighPass([Section; ORDER / 2]);

/// `H(z) = (b0 + b1 z⁻¹ + b2 z⁻²) / (1 + a1 z⁻¹ + a2 z⁻²)`, transposed direct form II.
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl HighPass {
    pub(super) fn new(cut_off_hz: f64) -> Self {
        Self(std::array::from_fn(|i| {
            // The poles of the prototype stand on the unit circle, in pairs.
            let q = 1.0 / (2.0 * ((2 * i + 1) as f64 * PI / (2 * ORDER) as f64).sin());
            Section::new(cut_off_hz, q)
        }))
    }

    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        for section in &mut self.0 {
            section.process(block);
        }
    }
}

impl Section {
    fn new(cut_off_hz: f64, q: f64) -> Self {
        let k = (PI * cut_off_hz / RATE).tan();
        let norm = 1.0 / (1.0 + k / q + k * k);
        Self {
            b: [norm, -2.0 * norm, norm],
            a: [2.0 * (k * k - 1.0) * norm, (1.0 - k / q + k * k) * norm],
            state: [0.0; 2],
        }
    }

    fn process(&mut self, block: &mut [f32; BLOCK]) {
        let ([b0, b1, b2], [a1, a2], [mut s1, mut s2]) = (self.b, self.a, self.state);
        for sample in block {
            let x = f64::from(*sample);
            let y = b0 * x + s1;
            s1 = b1 * x - a1 * y + s2;
            s2 = b2 * x - a2 * y;
            *sample = y as f32;
        }
        // What has died away must not become slow denormal numbers.
        self.state = [s1, s2].map(|s| if s.abs() < 1e-30 { 0.0 } else { s });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The magnitude response, from the response to an impulse.
    fn measured_db(cut_off_hz: f64, hz: f64) -> f64 {
        let mut filter = HighPass::new(cut_off_hz);
        let (mut re, mut im) = (0.0, 0.0);
        for n in 0..400 {
            let mut block = [0.0; BLOCK];
            if n == 0 {
                block[0] = 1.0;
            }
            filter.process(&mut block);
            for (i, x) in block.into_iter().enumerate() {
                let angle = 2.0 * PI * hz / RATE * (n * BLOCK + i) as f64;
                re += f64::from(x) * angle.cos();
                im -= f64::from(x) * angle.sin();
            }
        }
        10.0 * (re * re + im * im).log10()
    }

    #[test]
    fn the_response_is_that_of_the_formula() {
        for cut_off in [40.0, 80.0, 150.0] {
            for hz in [
                20.0, 40.0, 79.0, 80.0, 100.0, 150.0, 300.0, 1_000.0, 8_000.0, 20_000.0,
            ] {
                // |H|² = 1 / (1 + (Ωc/Ω)^2N) with Ω = tan(πf/fs).
                let omega = |f: f64| (PI * f / RATE).tan();
                let ratio: f64 = omega(cut_off) / omega(hz);
                let expected = -10.0 * (1.0 + ratio.powi(2 * ORDER as i32)).log10();
                let found = measured_db(cut_off, hz);
                assert!(
                    (found - expected).abs() < 0.02,
                    "{cut_off} {hz}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn an_offset_is_gone_within_a_tenth_of_a_second() {
        let mut filter = HighPass::new(80.0);
        for n in 0..20 {
            let mut block = [0.5; BLOCK];
            filter.process(&mut block);
            if n >= 10 {
                assert!(block.iter().all(|x| x.abs() < 1e-4), "{n}");
            }
        }
    }
}
