//! `vectors/rate.json`: the choice of encoder settings as cases that any language can run. `VOXPOST_BLESS=1` writes the file anew;
//! every other run compares it with what this crate does.

use serde_json::{Value, json};
use voxpost_proto::live::{LADDER, RateControl, RateReport};

#[test]
fn the_vectors_say_what_this_crate_does() {
    let cases: Vec<Value> = cases()
        .into_iter()
        .map(|(name, reports)| run(name, &reports))
        .collect();
    let made = json!({"ladder": ladder(), "cases": cases});
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/rate.json");
    if std::env::var_os("VOXPOST_BLESS").is_some() {
        std::fs::write(path, text(&made)).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(made["ladder"], kept["ladder"]);
    assert_eq!(
        made["cases"].as_array().unwrap().len(),
        kept["cases"].as_array().unwrap().len()
    );
    for (made, kept) in made["cases"]
        .as_array()
        .unwrap()
        .iter()
        .zip(kept["cases"].as_array().unwrap())
    {
        assert_eq!(
            made, kept,
            "{}: VOXPOST_BLESS=1 writes the file anew",
            made["name"]
        );
    }
}

fn ladder() -> Vec<Value> {
    LADDER
        .iter()
        .map(|step| {
            json!({"bitrate_bps": step.bitrate_bps, "bandwidth": step.bandwidth.as_str(), "frame_ms": step.frame_ms,
                "vbr": step.vbr, "dtx": step.dtx})
        })
        .collect()
}

/// Reports as [now_ms, acked_bytes, backlog_ms, rtt_ms], and the step after each.
fn run(name: &str, reports: &[[u64; 4]]) -> Value {
    let mut rate = RateControl::default();
    let steps: Vec<usize> = reports
        .iter()
        .map(|&[now_ms, acked_bytes, backlog_ms, rtt_ms]| {
            rate.handle_report(&RateReport {
                now_ms,
                acked_bytes,
                backlog_ms,
                rtt_ms,
            });
            rate.index()
        })
        .collect();
    json!({"name": name, "reports": reports, "steps": steps})
}

fn text(made: &Value) -> String {
    let lines = |part: &str| {
        let lines: Vec<String> = made[part]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| format!("    {case}"))
            .collect();
        lines.join(",\n")
    };
    format!(
        "{{\n  \"about\": \"Made by crates/proto/tests/rate_vectors.rs.\",\n  \"ladder\": [\n{}\n  ],\n  \"cases\": [\n{}\n  ]\n}}\n",
        lines("ladder"),
        lines("cases")
    )
}

/// A link of so many bit/s, by time, that carries what the recorder says; a report every 200 ms.
fn link(seconds: u64, rtt: u64, rate_at: impl Fn(u64) -> u64) -> Vec<[u64; 4]> {
    let mut rate = RateControl::default();
    let (mut made_bits, mut through_bits) = (0_u64, 0_u64);
    // Bits made up to each time: what is through tells how much sound that was.
    let mut history: Vec<(u64, u64)> = vec![(0, 0)];
    let mut reports = Vec::new();
    for tick in 1..=seconds * 5 {
        let now = tick * 200;
        let step = rate.step();
        // Bundled once it is behind, so that only the packets themselves count then.
        let behind = made_bits > through_bits + 8_000;
        let around = if behind { 14 * 8 } else { 80 * 8 };
        made_bits += (u64::from(step.bitrate_bps) + around * 1_000 / u64::from(step.frame_ms)) / 5;
        history.push((now, made_bits));
        through_bits = made_bits.min(through_bits + rate_at(now) / 5);
        let heard = history
            .iter()
            .rev()
            .find(|(_, bits)| *bits <= through_bits)
            .map_or(0, |(at, _)| *at);
        let report = [now, through_bits / 8, now - heard + rtt, rtt];
        let [now_ms, acked_bytes, backlog_ms, rtt_ms] = report;
        rate.handle_report(&RateReport {
            now_ms,
            acked_bytes,
            backlog_ms,
            rtt_ms,
        });
        reports.push(report);
    }
    reports
}

fn cases() -> Vec<(&'static str, Vec<[u64; 4]>)> {
    vec![
        ("a wide link", link(30, 50, |_| 1_000_000)),
        (
            "256, then 12, then 64 kbit/s",
            link(120, 80, |now| match now {
                ..=20_000 => 256_000,
                20_001..=60_000 => 12_000,
                _ => 64_000,
            }),
        ),
        (
            "an outage of 20 s",
            link(90, 60, |now| {
                if (10_000..30_000).contains(&now) {
                    0
                } else {
                    256_000
                }
            }),
        ),
        (
            "stalls of 1.5 s each 10 s",
            link(90, 60, |now| if now % 10_000 < 1_500 { 0 } else { 128_000 }),
        ),
        ("40 kbit/s", link(120, 120, |_| 40_000)),
        ("10 kbit/s", link(60, 300, |_| 10_000)),
        ("a long way", link(30, 900, |_| 256_000)),
        (
            "numbers at their ends",
            vec![
                [0, 0, 0, 0],
                [0, 0, 10_000, 0],
                [1, 9_007_199_254, 0, 10_000],
                [10_000_000, 9_007_199_254, 0, 0],
                [10_005_000, 9_007_199_254, 400, 0],
                [10_010_000, 9_007_199_254, 401, 0],
                [10_015_000, 9_007_199_254, 400, 0],
                [10_020_000, 9_007_199_254, 1_000, 0],
                [10_020_001, 9_007_199_254, 1_001, 0],
            ],
        ),
    ]
}

/// What a link can carry is what the recorder comes to say.
#[test]
fn the_step_follows_the_link_and_the_backlog_goes() {
    let steps = |reports: &[[u64; 4]]| -> Vec<usize> {
        let run = run("", reports);
        run["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step.as_u64().unwrap() as usize)
            .collect()
    };
    let reports = link(120, 80, |now| match now {
        ..=20_000 => 256_000,
        20_001..=60_000 => 12_000,
        _ => 64_000,
    });
    let steps_taken = steps(&reports);
    let at = |seconds: usize| steps_taken[seconds * 5 - 1];
    assert_eq!(at(20), 5, "256 kbit/s carry the best");
    assert!(
        at(30) <= 1 && at(58) <= 1,
        "12 kbit/s carry little: {} {}",
        at(30),
        at(58)
    );
    assert!(at(119) >= 3, "64 kbit/s carry more again: {}", at(119));
    let late = |seconds: usize| reports[seconds * 5 - 1][2];
    assert!(
        late(58) < 4_000,
        "what waits at 12 kbit/s is bounded: {} ms",
        late(58)
    );
    assert!(late(119) < 1_500, "and gone at the end: {} ms", late(119));
}
