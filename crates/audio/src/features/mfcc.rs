/// Mel-frequency cepstral coefficients: the cosine transform of a logarithmic mel spectrum. `librosa.feature.mfcc`.
#[derive(Debug)]
pub struct Mfcc {
    coefficients: usize,
    bands: usize,
    /// DCT-II, orthonormal; a row for each coefficient.
    basis: Vec<f32>,
}

impl Mfcc {
    /// The first `coefficients` of frames with so many bands.
    #[must_use]
    pub fn new(bands: usize, coefficients: usize) -> Self {
        let n = bands.max(1) as f64;
        let basis = (0..coefficients).flat_map(|k| {
            let scale = if k == 0 {
                (1.0 / n).sqrt()
            } else {
                (2.0 / n).sqrt()
            };
            (0..bands).map(move |i| {
                let angle = std::f64::consts::PI * k as f64 * (2.0 * i as f64 + 1.0) / (2.0 * n);
                (scale * angle.cos()) as f32
            })
        });
        Self {
            coefficients,
            bands,
            basis: basis.collect(),
        }
    }

    /// Values of a frame.
    #[must_use]
    pub fn coefficients(&self) -> usize {
        self.coefficients
    }

    /// Fills `out` with the coefficients of one frame of [`decibels`]. Never allocates.
    pub fn frame(&self, log_mel: &[f32], out: &mut [f32]) {
        for (to, row) in out.iter_mut().zip(self.basis.chunks(self.bands.max(1))) {
            *to = row.iter().zip(log_mel).map(|(b, x)| b * x).sum();
        }
    }
}

/// Turns powers into dB in place, nothing further than `range_db` below the loudest: `librosa.power_to_db`, which takes 80.
pub fn decibels(powers: &mut [f32], range_db: f32) {
    let mut loudest = f32::MIN;
    for x in powers.iter_mut() {
        *x = 10.0 * x.max(1e-10).log10();
        loudest = loudest.max(*x);
    }
    for x in powers {
        *x = x.max(loudest - range_db);
    }
}
