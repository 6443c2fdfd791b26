//! What recognisers look at instead of samples: spectrograms on the mel scale and cepstra, as librosa computes them.

mod mel;
mod mfcc;
mod stft;

pub use mel::{MelSettings, MelSpectrogram};
pub use mfcc::{Mfcc, decibels};
pub use stft::Stft;
