//! Messages in other containers and codecs, as ffmpeg sees them: no warning, the same packets, the same sound, the same
//! duration, and any place of it can be sought.

mod tools;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Output;

use tools::{packets, quiet};
use voxpost_audio::{Limits, Options, Rendition, VoiceReader, normalise, render};

const OPUS: &[&str] = &[
    "chromium.webm",
    "chromium-pause.webm",
    "firefox.ogg",
    "opusenc.ogg",
    "opusenc-stereo.ogg",
    "dtx.ogg",
    "frames-2.5.ogg",
    "frames-60.ogg",
    "live.webm",
];

/// A mono WAV says nothing of where its channel belongs, as mono files do; ffmpeg would warn that it guesses.
const PLAIN: &[&str] = &["-guess_layout_max", "0"];

struct Message {
    dir: tempfile::TempDir,
    canonical: Vec<u8>,
    samples_48k: u64,
    channels: u8,
}

fn message(name: &str) -> Message {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/opus")
        .join(name);
    let mut canonical = Vec::new();
    let source = fs::File::open(source).unwrap();
    let done = normalise(source, &mut canonical, &Options::default(), &|| false).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("message.ogg"), &canonical).unwrap();
    Message {
        dir,
        canonical,
        samples_48k: done.samples_48k,
        channels: done.channels,
    }
}

impl Message {
    fn file(&self, rendition: Rendition) -> PathBuf {
        let path = self.dir.path().join(format!("made.{}", rendition.name()));
        let mut scratch = Cursor::new(Vec::new());
        let output = fs::File::create(&path).unwrap();
        render(
            Cursor::new(&self.canonical),
            rendition,
            output,
            &mut scratch,
            &|| false,
        )
        .unwrap();
        path
    }

    fn seconds(&self) -> f64 {
        self.samples_48k as f64 / 48_000.0
    }
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}

fn decoded(path: &Path, before: &[&str], rate: &str) -> Vec<f32> {
    let file = path.to_str().unwrap();
    let after = ["-i", file, "-ac", "1", "-ar", rate, "-f", "f32le", "-"];
    let output = quiet("ffmpeg", &[&["-v", "warning"], before, &after].concat());
    let (samples, _) = output.stdout.as_chunks::<4>();
    samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Energy of `a` over that of its difference from `b`, in dB.
fn snr_db(a: &[f32], b: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let signal: f64 = a.iter().map(|x| square(*x)).sum();
    let noise: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
    10.0 * ((signal + 1e-12) / (noise + 1e-12)).log10()
}

#[test]
fn ffprobe_takes_each_without_a_warning_and_sees_its_duration() {
    for name in OPUS {
        let message = message(name);
        for rendition in Rendition::AVAILABLE {
            let path = message.file(*rendition);
            let args = [
                "-v",
                "warning",
                "-show_entries",
                "stream=codec_name,channels:format=format_name,duration",
                "-of",
                "default=nw=1",
                path.to_str().unwrap(),
            ];
            let told = text(quiet("ffprobe", &args));
            let field = |key: &str| {
                let line = told.lines().find_map(|line| line.strip_prefix(key));
                line.unwrap_or_else(|| panic!("{name}: {told}")).to_owned()
            };
            let (codec, channels) = match rendition {
                Rendition::Ogg | Rendition::Webm | Rendition::Mp4 => ("opus", message.channels),
                Rendition::Wav => ("pcm_s16le", 1),
                Rendition::M4a => ("aac", 1),
                Rendition::Mp3 => ("mp3", 1),
            };
            assert_eq!(field("codec_name="), codec, "{name}");
            assert_eq!(field("channels="), channels.to_string(), "{name}");
            // Each format rounds by its own clock; ffprobe adds the pre-skip of Ogg.
            let duration: f64 = field("duration=").parse().unwrap();
            let excess = duration - message.seconds();
            assert!(
                (-0.001..0.05).contains(&excess),
                "{name} {rendition:?}: {duration} {excess}"
            );
        }
    }
}

#[test]
fn webm_and_mp4_have_the_very_packets_and_play_the_same_samples() {
    for name in OPUS {
        let message = message(name);
        let ogg = message.dir.path().join("message.ogg");
        let (hashes, sound) = (packets(&ogg), decoded(&ogg, &["-c:a", "libopus"], "48000"));
        assert_eq!(sound.len() as u64, message.samples_48k, "{name}");
        for rendition in [Rendition::Webm, Rendition::Mp4] {
            let path = message.file(rendition);
            assert!(packets(&path) == hashes, "{name} {rendition:?}");
            let heard = decoded(&path, &["-c:a", "libopus"], "48000");
            // ffmpeg does not cut the end of an MP4 that has an edit list.
            let excess = heard.len() - sound.len();
            let allowed = if rendition == Rendition::Mp4 { 2_880 } else { 0 };
            assert!(
                excess <= allowed,
                "{name} {rendition:?}: {excess} samples too many"
            );
            assert!(heard[..sound.len()] == sound, "{name} {rendition:?}");
        }
    }
}

#[test]
fn a_wav_has_the_same_sound_at_16_khz() {
    for name in ["chromium.webm", "opusenc.ogg", "opusenc-stereo.ogg"] {
        let message = message(name);
        let wav = message.file(Rendition::Wav);
        let plain = decoded(&wav, PLAIN, "16000");
        assert_eq!(plain.len() as u64, message.samples_48k.div_ceil(3), "{name}");
        let ogg = message.dir.path().join("message.ogg");
        let narrow = message.dir.path().join("narrow.wav");
        let (from, to) = (ogg.to_str().unwrap(), narrow.to_str().unwrap());
        quiet(
            "ffmpeg",
            &[
                "-v", "warning", "-c:a", "libopus", "-i", from, "-ac", "1", "-ar", "16000", to,
            ],
        );
        // The decoder's own way down to 16 kHz takes two thirds of a sample: compared at 48 kHz, up to a millisecond later.
        let (expected, wav) = (decoded(&narrow, PLAIN, "48000"), decoded(&wav, PLAIN, "48000"));
        let alike = (0..48)
            .map(|lag| snr_db(&expected[4_800..48_000], &wav[4_800 + lag..]))
            .fold(f64::MIN, f64::max);
        assert!(alike > 20.0, "{name}: {alike} dB");
    }
}

#[test]
fn any_place_can_be_sought() {
    let message = message("opusenc.ogg");
    let mut reader = VoiceReader::new(message.canonical.clone(), &Limits::default()).unwrap();
    for rendition in [Rendition::Webm, Rendition::Mp4] {
        let path = message.file(rendition);
        for place in [0.5, 1.7, 3.1] {
            let at = place.to_string();
            let before = ["-ss", &at, "-c:a", "libopus"];
            let heard = decoded(&path, &before, "48000");
            let start = (place * 48_000.0) as u64;
            let rest = (message.samples_48k - start) as usize;
            assert!(
                heard.len().abs_diff(rest) <= 2_000,
                "{rendition:?} {place}: {}",
                heard.len()
            );
            // ffmpeg goes to the packet, not to the sample, and does not roll in: compare after that.
            let mut expected = vec![0.0; 24_000];
            reader.seek(start + 9_600);
            reader.read(&mut expected);
            let best = (0..2_000)
                .map(|lag| snr_db(&expected[1_000..9_000], &heard[9_600 + lag..]))
                .fold(f64::MIN, f64::max);
            assert!(best > 12.0, "{rendition:?} {place}: {best} dB");
        }
    }
}

#[cfg(any(feature = "enc-aac", feature = "enc-mp3"))]
#[test]
fn what_is_encoded_anew_is_the_same_sound_at_the_same_time() {
    for name in ["../sound/speech.flac"] {
        let message = message(name);
        let ogg = message.dir.path().join("message.ogg");
        let expected = decoded(&ogg, &["-c:a", "libopus"], "48000");
        for rendition in [Rendition::M4a, Rendition::Mp3] {
            if !Rendition::AVAILABLE.contains(&rendition) {
                continue;
            }
            let heard = decoded(&message.file(rendition), &[], "48000");
            assert!(
                (-1_200..1_200).contains(&(heard.len() as i64 - expected.len() as i64)),
                "{name} {rendition:?}: {} and not {}",
                heard.len(),
                expected.len()
            );
            let place = 60_000..84_000;
            let likeness = |lag: i64| -> f32 {
                let start = (place.start as i64 + lag) as usize;
                let pairs = expected[place.clone()].iter().zip(&heard[start..]);
                pairs.map(|(a, b)| a * b).sum()
            };
            let best = (-3_000..3_000)
                .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
                .unwrap();
            assert!(best.abs() <= 48, "{name} {rendition:?}: {best} samples late");
            let start = (place.start as i64 + best) as usize;
            let alike = snr_db(&expected[place], &heard[start..]);
            assert!(alike > 20.0, "{name} {rendition:?}: {alike} dB");
        }
    }
}
