//! One waveform in the dialects of other messengers: each as the object that its consumer publishes, ready to be put into its
//! own message. The shape is that of the message's `waveform`: its largest value is the loudest part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// The largest value of a message's waveform.
const FULL: u32 = 1_024;

/// Whose form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// MSC3246, the content of `org.matrix.msc1767.audio`: `duration` in ms, 30 to 120 integers up to 1024.
    Matrix,
    /// TDLib `inputMessageVoiceNote`: `duration` in s, 100 values of 5 bits, packed from the lowest bit on, in base64.
    Telegram,
    /// A voice message's attachment: `duration_secs`, at most 256 bytes and one for each 100 ms, in base64.
    Discord,
    /// `AudioMessage`: `seconds`, 64 bytes up to 100, in base64.
    Whatsapp,
    /// A `voiceRecording` attachment: `duration` in s, fractions from 0 to 1.
    Stream,
    /// audiowaveform's data format 2, as peaks.js reads it: pairs of smallest and largest value, 8 bits each.
    Audiowaveform,
}

impl Dialect {
    /// All of them, by the names in `?dialect=`.
    pub(crate) const NAMES: [(&str, Dialect); 6] = [
        ("matrix", Dialect::Matrix),
        ("telegram", Dialect::Telegram),
        ("discord", Dialect::Discord),
        ("whatsapp", Dialect::Whatsapp),
        ("stream", Dialect::Stream),
        ("audiowaveform", Dialect::Audiowaveform),
    ];

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, dialect)| *dialect)
    }
}

/// Writes a waveform (not empty, values up to 1024) of a message that plays for `duration_ms`.
pub(crate) fn write(dialect: Dialect, waveform: &[u16], duration_ms: u64) -> Value {
    let seconds = duration_ms as f64 / 1_000.0;
    // Those who count in whole seconds show none for less than half of one.
    let whole_seconds = (duration_ms.saturating_add(500) / 1_000).max(1);
    match dialect {
        Dialect::Matrix => json!({"duration": duration_ms, "waveform": waveform}),
        Dialect::Telegram => json!({
            "duration": whole_seconds,
            "waveform": BASE64.encode(five_bits(&scaled(&resized(waveform, 100), 31))),
        }),
        Dialect::Discord => {
            let points = usize::try_from(duration_ms / 100).unwrap_or(usize::MAX);
            let points = points.clamp(1, waveform.len().min(256));
            json!({
                "duration_secs": seconds,
                "waveform": BASE64.encode(scaled(&resized(waveform, points), 255)),
            })
        }
        Dialect::Whatsapp => json!({
            "seconds": whole_seconds,
            "waveform": BASE64.encode(scaled(&resized(waveform, 64), 100)),
        }),
        Dialect::Stream => {
            let fractions: Vec<f64> = waveform
                .iter()
                .map(|value| f64::from(*value) / f64::from(FULL))
                .collect();
            json!({"duration": seconds, "waveform_data": fractions})
        }
        Dialect::Audiowaveform => {
            let pairs: Vec<i16> = scaled(waveform, 127)
                .into_iter()
                .flat_map(|value| [-i16::from(value), i16::from(value)])
                .collect();
            let samples = duration_ms.saturating_mul(48);
            json!({
                "version": 2,
                "channels": 1,
                "sample_rate": 48_000,
                "samples_per_pixel": samples.div_ceil(waveform.len() as u64).max(1),
                "bits": 8,
                "length": waveform.len(),
                "data": pairs,
            })
        }
    }
}

/// The waveform with another number of points: the loudest of each share.
fn resized(waveform: &[u16], points: usize) -> Vec<u16> {
    (0..points)
        .map(|i| {
            let from = i * waveform.len() / points;
            let to = ((i + 1) * waveform.len() / points).max(from + 1);
            waveform[from..to].iter().copied().max().unwrap_or(0)
        })
        .collect()
}

/// The values on a scale up to `top`, rounded.
fn scaled(waveform: &[u16], top: u32) -> Vec<u8> {
    waveform
        .iter()
        .map(|value| ((u32::from(*value).min(FULL) * top + FULL / 2) / FULL) as u8)
        .collect()
}

/// Values below 32 one after another, each from the lowest free bit on.
fn five_bits(values: &[u8]) -> Vec<u8> {
    let mut out = vec![0; (values.len() * 5).div_ceil(8)];
    for (i, value) in values.iter().enumerate() {
        let (byte, shift) = (i * 5 / 8, i * 5 % 8);
        let bits = u16::from(*value) << shift;
        out[byte] |= bits as u8;
        if let Some(next) = out.get_mut(byte + 1) {
            *next |= (bits >> 8) as u8;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(value: &Value) -> Vec<u8> {
        BASE64.decode(value["waveform"].as_str().unwrap()).unwrap()
    }

    /// As Telegram's clients read it: 16 bits from the byte in which the value begins.
    fn telegram(packed: &[u8]) -> Vec<u8> {
        let count = packed.len() * 8 / 5;
        (0..count)
            .map(|i| {
                let (byte, shift) = (i * 5 / 8, i * 5 % 8);
                let high = packed.get(byte + 1).copied().unwrap_or(0);
                let pair = u16::from_le_bytes([packed[byte], high]);
                (pair >> shift) as u8 & 31
            })
            .collect()
    }

    #[test]
    fn a_waveform_is_written_as_each_consumer_reads_it() {
        let ramp: Vec<u16> = (0..100).map(|i| (i * 1_024 / 99) as u16).collect();
        let written = |dialect| write(dialect, &ramp, 4_180);

        let matrix = written(Dialect::Matrix);
        assert_eq!(matrix["duration"], 4_180);
        assert_eq!(matrix["waveform"], json!(ramp));

        let packed = bytes(&written(Dialect::Telegram));
        assert_eq!(packed.len(), 63);
        let read = telegram(&packed);
        assert_eq!((read.len(), read[0], read[50], read[99]), (100, 0, 16, 31));
        assert!(read.is_sorted());

        let discord = written(Dialect::Discord);
        assert_eq!(discord["duration_secs"], 4.18);
        let read = bytes(&discord);
        assert_eq!((read.len(), read[40]), (41, 255));

        let whatsapp = written(Dialect::Whatsapp);
        assert_eq!(whatsapp["seconds"], 4);
        let read = bytes(&whatsapp);
        assert_eq!((read.len(), read[63]), (64, 100));

        let stream = written(Dialect::Stream);
        assert_eq!(stream["duration"], 4.18);
        assert_eq!(stream["waveform_data"][99], 1.0);

        let document = written(Dialect::Audiowaveform);
        let data = document["data"].as_array().unwrap();
        assert_eq!((document["length"].as_u64().unwrap(), data.len()), (100, 200));
        assert_eq!((&data[198], &data[199]), (&json!(-127), &json!(127)));
        // What waveform-data.js calls the duration.
        let pixels = document["samples_per_pixel"].as_f64().unwrap() * 100.0;
        assert!((pixels / 48_000.0 - 4.18).abs() < 0.005);
    }

    proptest! {
        #[test]
        fn every_waveform_keeps_every_dialects_bounds(
            waveform in prop::collection::vec(0_u16..=1_024, 1..=120), duration_ms: u64,
        ) {
            for (name, dialect) in Dialect::NAMES {
                prop_assert_eq!(Dialect::by_name(name), Some(dialect));
                let written = write(dialect, &waveform, duration_ms);
                match dialect {
                    Dialect::Matrix => prop_assert_eq!(&written["waveform"], &json!(waveform)),
                    Dialect::Telegram => prop_assert_eq!(bytes(&written).len(), 63),
                    Dialect::Discord => prop_assert!((1..=256).contains(&bytes(&written).len())),
                    Dialect::Whatsapp => {
                        prop_assert_eq!(bytes(&written).len(), 64);
                        prop_assert!(bytes(&written).iter().all(|value| *value <= 100));
                    }
                    Dialect::Stream => {
                        let values = written["waveform_data"].as_array().unwrap();
                        prop_assert!(values.iter().all(|v| (0.0..=1.0).contains(&v.as_f64().unwrap())));
                    }
                    Dialect::Audiowaveform => {
                        let values = written["data"].as_array().unwrap();
                        prop_assert!(values.iter().all(|v| (-128..=127).contains(&v.as_i64().unwrap())));
                    }
                }
            }
        }
    }
}
