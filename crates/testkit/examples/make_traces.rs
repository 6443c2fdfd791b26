//! `make_traces DIR`: writes the traces of `fixtures/traces`, 10 s each. The seeds are part of what they are.

use std::fs;
use std::path::Path as File;

use voxpost_testkit::net::{Bottleneck, Jitter, Loss, Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("make_traces DIR")?;
    let in_order = |p95_ms| Jitter::InOrder { p95_ms };
    let traces = [
        (
            "wifi-bad-minute",
            Path {
                jitter: in_order(60.0),
                loss: Loss::GilbertElliott {
                    to_bad: 0.02,
                    to_good: 0.25,
                    lost_in_good: 0.005,
                    lost_in_bad: 0.6,
                },
                duplicates: 0.01,
                ..Path::default()
            },
        ),
        (
            "mobile-stalls",
            Path {
                jitter: in_order(20.0),
                stalls: vec![(2_000.0, 250.0), (5_000.0, 600.0), (8_000.0, 150.0)],
                ..Path::default()
            },
        ),
        (
            "route-change-and-drift",
            Path {
                jitter: Jitter::Reordering { p95_ms: 30.0 },
                route_change: Some((4_000.0, 90.0)),
                drift_ppm: 200.0,
                loss: Loss::Random { share: 0.02 },
                ..Path::default()
            },
        ),
        (
            "upload-in-background",
            Path {
                bottleneck: Some(Bottleneck {
                    rate_bps: 1_000_000.0,
                    queue_bytes: 32_000.0,
                    other_bps: 800_000.0,
                }),
                ..Path::default()
            },
        ),
    ];
    for (seed, (name, path)) in traces.into_iter().enumerate() {
        let text = path.trace(500, 20.0, 80, seed as u64).to_text();
        fs::write(File::new(&directory).join(format!("{name}.txt")), text)?;
    }
    Ok(())
}
