//! The networks that are measured, and the codec settings that go with them.

use voxpost_audio::SpeechSettings;
use voxpost_testkit::net::{Bottleneck, Jitter, Loss, Path};

pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) path: Path,
    pub(crate) settings: SpeechSettings,
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
        SpeechSettings {
            fec: std::env::var("FEC").is_err(),
            loss_percent: 5,
            ..plain()
        },
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

fn losses() -> Vec<(String, Loss, SpeechSettings)> {
    let mut losses = vec![("loss-0".into(), Loss::None, plain())];
    for percent in [5_u8, 10, 20, 30] {
        let share = f64::from(percent) / 100.0;
        let settings = SpeechSettings {
            fec: std::env::var("FEC").is_err(),
            loss_percent: std::env::var("LP").ok().and_then(|v| v.parse().ok()).unwrap_or(percent),
            ..plain()
        };
        losses.push((format!("loss-{percent}"), Loss::Random { share }, settings));
    }
    let dred = SpeechSettings {
        bitrate_bps: 32_000,
        loss_percent: std::env::var("LP").ok().and_then(|v| v.parse().ok()).unwrap_or(20),
        wideband: std::env::var("WB").is_ok(),
        fec: std::env::var("BFEC").is_ok(),
        dred_ms: std::env::var("DRED").ok().and_then(|v| v.parse().ok()).unwrap_or(200),
        ..plain()
    };
    let burst = Loss::Bursts { share: 0.2, length: 3 };
    losses.push(("burst-20".into(), burst, dred));
    losses
}

fn plain() -> SpeechSettings {
    SpeechSettings { wideband: std::env::var("WB").is_ok(), ..SpeechSettings::default() }
}
