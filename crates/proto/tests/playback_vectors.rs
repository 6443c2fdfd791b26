//! `vectors/playback.json`: the playback rules as cases that any language can run. `VOXPOST_BLESS=1` writes the file anew; every
//! other run compares it with what this crate does.

use serde_json::{Value, json};
use voxpost_proto::api::{PlaybackAnswer, PlaybackReport, PlaybackSummary};
use voxpost_proto::playback::{Action, Heard, HeardMap, Journal, Player, resume};
use voxpost_proto::{Timestamp, Uuid};

const DURATION: i64 = 300_000;
const START: i64 = 1_767_261_600_000;

#[test]
fn the_vectors_say_what_this_crate_does() {
    let made = json!({
        "about": "Rules of playback; times in ms. Made by crates/proto/tests/playback_vectors.rs.",
        "duration_ms": DURATION,
        "merge": merges(),
        "reports": reports(),
        "resume": resumes(),
        "player": players(),
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/playback.json");
    if std::env::var_os("VOXPOST_BLESS").is_some() {
        std::fs::write(path, text(&made)).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for part in ["merge", "reports", "resume", "player"] {
        let (made, kept) = (made[part].as_array().unwrap(), kept[part].as_array().unwrap());
        assert_eq!(
            made.len(),
            kept.len(),
            "{part}: VOXPOST_BLESS=1 writes the file anew"
        );
        for (made, kept) in made.iter().zip(kept) {
            assert_eq!(made, kept, "{part}: {}", made["name"]);
        }
    }
}

/// One case on a line.
fn text(made: &Value) -> String {
    let part = |(name, part): (&String, &Value)| match part.as_array() {
        Some(cases) => {
            let lines: Vec<String> = cases.iter().map(|case| format!("    {case}")).collect();
            format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
        }
        None => format!("  \"{name}\": {part}"),
    };
    let parts: Vec<String> = made.as_object().unwrap().iter().map(part).collect();
    format!("{{\n{}\n}}\n", parts.join(",\n"))
}

/// Both sets, and their union.
fn merges() -> Vec<Value> {
    let many: Vec<[i64; 2]> = (0..300).map(|n| [n * 900, n * 900 + 10 + n % 13]).collect();
    let cases = [
        ("nothing and nothing", vec![], vec![]),
        ("nothing and something", vec![], vec![[0, 1000]]),
        ("apart", vec![[0, 1000]], vec![[5000, 6000]]),
        ("overlapping", vec![[0, 3000]], vec![[2000, 6000]]),
        ("a gap of 249 is closed", vec![[0, 1000]], vec![[1249, 2000]]),
        ("a gap of 250 stays", vec![[0, 1000]], vec![[1250, 2000]]),
        (
            "empty intervals are no stepping stones",
            vec![[0, 100], [300, 300]],
            vec![[500, 600]],
        ),
        (
            "more than 256: the shortest gaps are closed, the earliest first",
            many,
            vec![[0, 5]],
        ),
    ];
    let case = |(name, a, b): (&str, Vec<[i64; 2]>, Vec<[i64; 2]>)| {
        let both = Heard::new(a.clone()).merge(&Heard::new(b.clone()));
        json!({"name": name, "a": a, "b": b, "merged": both, "heard_ms": both.total_ms()})
    };
    cases.into_iter().map(case).collect()
}

/// Reports in the order of arrival, each with what the server answers.
fn reports() -> Vec<Value> {
    let report = |player: u128, id: u128, base_version, position_ms, heard: &[[i64; 2]]| PlaybackReport {
        player_id: Uuid::from_u128(player),
        device_id: Uuid::from_u128(player + 100),
        report_id: Uuid::from_u128(id),
        base_version,
        position_ms,
        speed: 1.0,
        heard: heard.to_vec(),
        ended: false,
        sequence: None,
    };
    let numbered = |sequence, report| PlaybackReport {
        sequence: Some(sequence),
        ..report
    };
    let cases = [
        ("the first report", vec![report(1, 1, 0, 4000, &[[0, 4000]])]),
        (
            "the same player goes on without an answer",
            vec![
                report(1, 1, 0, 4000, &[[0, 4000]]),
                report(1, 2, 0, 9000, &[[4000, 9000]]),
            ],
        ),
        (
            "a stale device brings what was heard and does not move the playhead",
            vec![
                report(1, 1, 0, 27_599, &[[0, 27_599]]),
                report(2, 2, 0, 31_588, &[[30_000, 31_588]]),
                report(2, 3, 1, 40_000, &[[31_588, 40_000]]),
            ],
        ),
        (
            "a repeated report changes nothing",
            vec![
                report(1, 1, 0, 4000, &[[0, 4000]]),
                report(1, 1, 0, 9000, &[[4000, 9000]]),
            ],
        ),
        (
            "a report that its successor overtook brings what was heard",
            vec![
                numbered(2, report(1, 2, 0, 9000, &[[4000, 9000]])),
                numbered(1, report(1, 1, 0, 4000, &[[0, 4000]])),
            ],
        ),
        (
            "1,000 past the end are cut off",
            vec![report(1, 1, 0, 301_000, &[[299_000, 301_000]])],
        ),
        (
            "more than that is invalid",
            vec![report(1, 1, 0, 301_001, &[]), report(1, 1, 0, 0, &[[0, 301_001]])],
        ),
        (
            "negative is invalid",
            vec![report(1, 1, 0, -1, &[]), report(1, 1, 0, 0, &[[-1, 5]])],
        ),
        ("inverted is invalid", vec![report(1, 1, 0, 0, &[[9, 8]])]),
        (
            "the body is checked before the version",
            vec![report(1, 1, 0, 4000, &[]), report(2, 2, 0, 301_001, &[])],
        ),
        (
            "heard to 90 in 100 is played",
            vec![
                report(1, 1, 0, 269_999, &[[0, 269_999]]),
                report(1, 2, 0, 270_000, &[[269_999, 270_000]]),
            ],
        ),
        (
            "the end reached by playing is played",
            vec![PlaybackReport {
                ended: true,
                ..report(1, 1, 0, 300_000, &[[290_000, 300_000]])
            }],
        ),
        (
            "a playhead dragged to the end is not",
            vec![report(1, 1, 0, 300_000, &[])],
        ),
    ];
    let case = |(name, reports): (&str, Vec<PlaybackReport>)| {
        let mut map = HeardMap::default();
        let steps: Vec<Value> = reports
            .into_iter()
            .enumerate()
            .map(
                |(n, report)| match map.apply(&report, DURATION, at(n as i64 * 1000)) {
                    Ok(outcome) => {
                        let answer = PlaybackAnswer {
                            playhead_applied: outcome.playhead_applied,
                            playback: map.playback(DURATION),
                        };
                        json!({"report": report, "answer": answer})
                    }
                    Err(_) => json!({"report": report, "answer": "invalid_request"}),
                },
            )
            .collect();
        json!({"name": name, "steps": steps})
    };
    cases.into_iter().map(case).collect()
}

/// What is known when a message is opened, and where the player begins.
fn resumes() -> Vec<Value> {
    let local = |position_ms, base_version, moved, ago: i64| Journal {
        player_id: Uuid::from_u128(1),
        sequence: 3,
        base_version,
        position_ms,
        speed: 1.0,
        moved,
        heard: Heard::default(),
        ended: false,
        at: at(-ago),
    };
    let server = |position_ms, player: u128, ago: i64| {
        let mut map = HeardMap::default();
        let report = PlaybackReport {
            player_id: Uuid::from_u128(player),
            device_id: Uuid::from_u128(player + 100),
            report_id: Uuid::from_u128(7),
            base_version: 0,
            position_ms,
            speed: 1.0,
            heard: vec![],
            ended: false,
            sequence: None,
        };
        map.apply(&report, DURATION, at(-ago)).unwrap();
        map.playback(DURATION)
    };
    let untouched = HeardMap::default().playback(DURATION);
    let cases = [
        ("nothing is known: the start", None, None),
        ("the server knows nothing: the start", None, Some(untouched)),
        ("the server's position", None, Some(server(133_000, 9, 5_000))),
        (
            "what this device has not told goes first",
            Some(local(120_000, 1, true, 5_000)),
            Some(server(6_000, 9, 5_000)),
        ),
        (
            "what it has told counts no more",
            Some(local(6_000, 0, false, 5_000)),
            Some(server(133_000, 9, 5_000)),
        ),
        (
            "two devices moved: an offer",
            Some(local(6_000, 0, true, 5_000)),
            Some(server(133_000, 9, 5_000)),
        ),
        (
            "less than a second apart: no offer",
            Some(local(132_500, 0, true, 5_000)),
            Some(server(133_000, 9, 5_000)),
        ),
        (
            "it was this very player: no offer",
            Some(local(6_000, 0, true, 5_000)),
            Some(server(4_000, 1, 5_000)),
        ),
        ("after a minute no rewind", None, Some(server(133_000, 9, 60_000))),
        (
            "after more than a minute three seconds back",
            None,
            Some(server(133_000, 9, 60_001)),
        ),
        ("not before the start", None, Some(server(2_000, 9, 3_600_000))),
        (
            "offline, after a night",
            Some(local(50_000, 0, true, 30_000_000)),
            None,
        ),
        (
            "who heard it to the end begins again",
            None,
            Some(server(300_000, 9, 5_000)),
        ),
    ];
    let case = |(name, journal, server): (&str, Option<Journal>, Option<_>)| {
        let begin = resume(journal.as_ref(), server.as_ref(), DURATION, at(0));
        json!({"name": name, "now": at(0), "journal": journal, "server": server, "resume": begin})
    };
    cases.into_iter().map(case).collect()
}

/// What happens at a player, and what it reports at that moment (null: nothing).
fn players() -> Vec<Value> {
    enum Input {
        Act(Action),
        Answered(i64, bool),
        Failed,
        Elsewhere(i64, i64),
        Wait,
    }
    use Input::*;
    let progress = |second: i64| {
        Act(Action::Progress {
            position_ms: second * 1000,
        })
    };
    let listen = |from: i64, to: i64| {
        let steps = (from + 1..=to).map(move |second| (second * 1000, progress(second)));
        std::iter::once((from * 1000, Act(Action::Play))).chain(steps)
    };
    let after = |steps: Vec<(i64, Input)>| listen(0, 3).chain(steps).collect::<Vec<_>>();
    let cases: Vec<(&str, Vec<(i64, Input)>)> = vec![
        (
            "a fresh player never reports",
            vec![
                (0, Act(Action::Play)),
                (1_000, Act(Action::Progress { position_ms: 0 })),
                (2_000, Act(Action::Speed { speed: 1.5 })),
                (60_000, Act(Action::Pause { position_ms: 0 })),
                (60_000, Act(Action::Hide)),
            ],
        ),
        (
            "every ten seconds",
            listen(0, 21)
                .flat_map(|step| {
                    let answer = (step.0 == 10_000).then_some((10_000, Answered(1, true)));
                    std::iter::once(step).chain(answer)
                })
                .collect(),
        ),
        (
            "pause",
            after(vec![(3_500, Act(Action::Pause { position_ms: 3_500 }))]),
        ),
        (
            "seek",
            after(vec![(3_500, Act(Action::Seek { position_ms: 90_000 }))]),
        ),
        (
            "the end",
            vec![
                (0, Act(Action::Seek { position_ms: 299_000 })),
                (0, Answered(1, true)),
                (0, Act(Action::Play)),
                (1_000, Act(Action::End)),
            ],
        ),
        ("the page is hidden", after(vec![(3_500, Act(Action::Hide))])),
        (
            "a jump is not heard",
            after(vec![
                (4_000, progress(60)),
                (5_000, progress(61)),
                (5_000, Act(Action::Hide)),
            ]),
        ),
        (
            "a failed report comes again as it was",
            after(vec![
                (3_500, Act(Action::Pause { position_ms: 3_500 })),
                (4_000, Failed),
                (4_999, Wait),
                (5_000, Wait),
                (5_100, Failed),
                (7_099, Wait),
                (7_100, Wait),
                (7_200, Answered(1, true)),
                (99_000, Wait),
            ]),
        ),
        (
            "last words do not wait for what is under way",
            after(vec![
                (3_000, Act(Action::Hide)),
                (4_000, progress(4)),
                (4_000, Act(Action::Hide)),
            ]),
        ),
        (
            "a refused playhead is not pressed, what a person does then counts",
            after(vec![
                (3_000, Act(Action::Pause { position_ms: 3_000 })),
                (3_100, Answered(5, false)),
                (3_200, Wait),
                (4_000, Act(Action::Seek { position_ms: 20_000 })),
            ]),
        ),
        (
            "an idle player follows the others and keeps quiet",
            vec![
                (0, Elsewhere(3, 40_000)),
                (0, Act(Action::Hide)),
                (1_000, Act(Action::Seek { position_ms: 50_000 })),
            ],
        ),
    ];
    let case = |(name, steps): (&str, Vec<(i64, Input)>)| {
        let (player_id, device_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut player, _) = Player::open(None, None, player_id, device_id, DURATION, at(0));
        let mut last = Uuid::nil();
        let mut told = Vec::new();
        for (n, (ms, input)) in steps.into_iter().enumerate() {
            let input = match input {
                Act(action) => {
                    player.handle(at(ms), action);
                    json!(action)
                }
                Answered(version, playhead_applied) => {
                    let mut playback = HeardMap::default().playback(DURATION);
                    playback.version = version;
                    let answer = PlaybackAnswer {
                        playhead_applied,
                        playback,
                    };
                    player.handle_answer(last, &answer);
                    json!({"answer": answer})
                }
                Failed => {
                    player.handle_failure(at(ms), last);
                    json!({"failure": last})
                }
                Elsewhere(version, position_ms) => {
                    let news = PlaybackSummary {
                        version,
                        position_ms,
                        heard_ms: 0,
                        played: false,
                    };
                    let shown = player.handle_elsewhere(&news);
                    json!({"elsewhere": news, "shown": shown})
                }
                Wait => Value::Null,
            };
            let report = player.poll_report(at(ms), Uuid::from_u128(1000 + n as u128));
            if let Some(report) = &report {
                last = report.report_id;
            }
            told.push(
                json!({"at": at(ms), "input": input, "report": report, "poll_at": player.poll_timeout()}),
            );
        }
        json!({"name": name, "player_id": player_id, "device_id": device_id, "steps": told})
    };
    cases.into_iter().map(case).collect()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}
