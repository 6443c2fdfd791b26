use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Power spectra of overlapping frames (short-time Fourier transform) with a periodic Hann window.
pub struct Stft {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Stft {
    /// Frames of `length` samples, at least 2.
    #[must_use]
    pub fn new(length: usize) -> Self {
        let length = length.max(2);
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(length);
        Self {
            window: (0..length)
                .map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / length as f64).cos()) as f32)
                .collect(),
            input: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Samples of a frame.
    #[must_use]
    pub fn frame_length(&self) -> usize {
        self.window.len()
    }

    /// Values of a spectrum: from 0 Hz to half of the sampling rate.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// Fills `power` with the squared magnitudes of one frame; missing samples count as zero. Never allocates.
    pub fn power(&mut self, frame: &[f32], power: &mut [f32]) {
        self.input.fill(0.0);
        for ((to, x), w) in self.input.iter_mut().zip(frame).zip(&self.window) {
            *to = x * w;
        }
        self.fft
            .process_with_scratch(&mut self.input, &mut self.bins, &mut self.scratch)
            .expect("buffers of the planned sizes");
        for (to, bin) in power.iter_mut().zip(&self.bins) {
            *to = bin.norm_sqr();
        }
    }
}

impl fmt::Debug for Stft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stft")
            .field("frame_length", &self.frame_length())
            .finish_non_exhaustive()
    }
}
