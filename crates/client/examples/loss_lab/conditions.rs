//! The networks that are measured, and the codec settings that go with them.

use voxpost_audio::{Bandwidth, EncoderSettings};
use voxpost_proto::jitter::LossReport;
use voxpost_proto::redundancy::RedundancyPolicy;
use voxpost_testkit::net::{Bottleneck, Jitter, Loss, Path};

pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) path: Path,
    pub(crate) settings: EncoderSettings,
}

/// Everything that docs/jitter-buffer.md shows.
pub(crate) fn all() -> Vec<Condition> {
    let mut all = Vec::new();
    for (jitter_name, jitter) in jitters() {
        for (loss_name, loss, settings) in losses() {
            all.push(Condition {
                name: format!("{loss_name}-{jitter_name}"),
                path: Path {
                    jitter,
                    loss,
                    ..Path::default()
                },
                settings,
            });
        }
    }
    let ten_percent = losses().swap_remove(2);
    let special = |name: &str, path: Path, settings| Condition {
        name: name.into(),
        path,
        settings,
    };
    all.push(special(
        "spikes",
        Path {
            jitter: Jitter::InOrder { p95_ms: 20.0 },
            stalls: (1..8).map(|i| (f64::from(i) * 6_000.0, 200.0)).collect(),
            ..Path::default()
        },
        plain(),
    ));
    all.push(special(
        "route-change",
        Path {
            jitter: Jitter::InOrder { p95_ms: 20.0 },
            route_change: Some((20_000.0, 80.0)),
            ..Path::default()
        },
        plain(),
    ));
    for (name, drift_ppm) in [("drift-plus", 200.0), ("drift-minus", -200.0)] {
        all.push(special(
            name,
            Path {
                jitter: Jitter::InOrder { p95_ms: 60.0 },
                loss: ten_percent.1,
                drift_ppm,
                ..Path::default()
            },
            ten_percent.2,
        ));
    }
    all.push(special(
        "reordering",
        Path {
            jitter: Jitter::Reordering { p95_ms: 60.0 },
            ..Path::default()
        },
        plain(),
    ));
    all.push(special(
        "bottleneck",
        Path {
            bottleneck: Some(Bottleneck {
                rate_bps: 1_000_000.0,
                queue_bytes: 16_000.0,
                other_bps: 600_000.0,
            }),
            ..Path::default()
        },
        protected(0.05, 1.5, 24_000),
    ));
    all
}

fn jitters() -> Vec<(&'static str, Jitter)> {
    vec![
        ("jitter-0", Jitter::None),
        ("jitter-20", Jitter::InOrder { p95_ms: 20.0 }),
        ("jitter-60", Jitter::InOrder { p95_ms: 60.0 }),
        ("jitter-150", Jitter::InOrder { p95_ms: 150.0 }),
    ]
}

/// The codec settings are those that the sender's policy chooses for the loss, at 24 kbit/s, and 32 kbit/s for runs.
fn losses() -> Vec<(String, Loss, EncoderSettings)> {
    let mut losses = vec![("loss-0".into(), Loss::None, plain())];
    for percent in [5, 10, 20, 30] {
        let share = f64::from(percent) / 100.0;
        losses.push((
            format!("loss-{percent}"),
            Loss::Random { share },
            protected(share, 1.0 / (1.0 - share), 24_000),
        ));
    }
    let burst = Loss::Bursts {
        share: 0.2,
        length: 3,
    };
    losses.push(("burst-20".into(), burst, protected(0.2, 3.0, 32_000)));
    losses
}

/// Speech of the clips ends at 8 kHz; so does what PESQ hears.
fn plain() -> EncoderSettings {
    EncoderSettings {
        bandwidth: Bandwidth::Wide,
        ..EncoderSettings::live()
    }
}

fn protected(fraction: f64, mean_burst: f64, bitrate_bps: u32) -> EncoderSettings {
    let report = LossReport {
        fraction: fraction as f32,
        mean_burst: mean_burst as f32,
    };
    let chosen = RedundancyPolicy::new().choose(&report, bitrate_bps, 20);
    EncoderSettings {
        bitrate_bps,
        fec: chosen.fec,
        loss_percent: chosen.loss_percent,
        dred_ms: chosen.dred_ms,
        ..plain()
    }
}
