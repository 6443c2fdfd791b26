#!/usr/bin/env python3
"""score.py WORK: scores what loss_lab and neteq-peer wrote (WORK/out/runs.jsonl) and writes table and plot.

PESQ-WB (ITU-T P.862.2) and STOI per clip at 16 kHz, the first clip (the warm-up) left out; means over the clips. For STOI,
which knows no delay, each clip is first moved to where it fits best. Without conditions named, the table in
docs/jitter-buffer.md and the plot beside it are replaced.
"""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from pesq import NoUtterancesError, pesq
from pystoi import stoi
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

RATE = 16_000
GAP = RATE * 6 // 10
CLIPS = ["es-mx", "katiesteve-1", "jfk", "vosk", "katiesteve-2"]
LISTENERS = ["voxpost", "fixed-60", "fixed-200", "neteq", "perfect"]
ROOT = Path(__file__).parents[2]
WORK = Path(sys.argv[1])


def samples(path):
    rate, sound = wavfile.read(path)
    sound = sound.astype(np.float64) / 32_768
    return resample_poly(sound, 1, rate // RATE).astype(np.float32)


def clip_lengths():
    for clip in CLIPS:
        path = ROOT / f"crates/testkit/fixtures/speech/{clip}.flac"
        command = ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"]
        yield len(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) // 2


def score(file):
    """Mean PESQ and STOI of what a listener heard."""
    heard = samples(WORK / "out" / file)
    scores, start = [], 0
    for i, length in enumerate(LENGTHS):
        reference = ORIGINAL[start : start + length]
        degraded = heard[start : start + length + RATE * 4 // 10]
        start += length + GAP
        if i > 0:
            scores.append(both(reference, degraded))
    return np.mean(scores, axis=0).tolist()


def scored(lines):
    """The runs with their scores. Many listeners hear the very same on an easy network: each sound is scored once."""
    runs = [json.loads(line) for line in lines]
    sounds = [hashlib.sha256((WORK / "out" / run["file"]).read_bytes()).digest() for run in runs]
    unique = {sound: run["file"] for sound, run in zip(sounds, runs)}
    with ProcessPoolExecutor() as pool:
        scores = dict(zip(unique, pool.map(score, unique.values())))
    for run, sound in zip(runs, sounds):
        run["pesq"], run["stoi"] = scores[sound]
    return runs


def both(reference, degraded):
    try:
        quality = pesq(RATE, reference, degraded, "wb")
    except NoUtterancesError:
        quality = 1.0  # nothing was heard
    lag = int(np.argmax(correlate(degraded, reference, "valid"))) if len(degraded) > len(reference) else 0
    moved = degraded[lag : lag + len(reference)]
    length = min(len(moved), len(reference))
    return quality, stoi(reference[:length], moved[:length], RATE)


def table(runs):
    by = {(run["condition"], run["listener"]): run for run in runs}
    conditions = list(dict.fromkeys(run["condition"] for run in runs))
    lines = [
        "| network | " + " | ".join(LISTENERS) + " | waits, median / p95 | behind the fastest, median / p95 |",
        "| --- |" + " --- |" * (len(LISTENERS) + 2),
    ]
    for condition in conditions:
        cells = [condition]
        for listener in LISTENERS:
            run = by.get((condition, listener))
            cells.append(f"{run['pesq']:.2f} · {run['stoi']:.2f}" if run else "–")
        own = by[condition, "voxpost"]
        cells.append(f"{own['waited_p50_ms']:.0f} / {own['waited_p95_ms']:.0f} ms")
        cells.append(f"{own['p50_ms']:.0f} / {own['p95_ms']:.0f} ms")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(runs, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    by = {(run["condition"], run["listener"]): run["pesq"] for run in runs}
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    losses, jitters = [0, 5, 10, 20, 30], [0, 20, 60, 150]
    for listener in LISTENERS:
        style = {"marker": "o", "linewidth": 2.5 if listener == "voxpost" else 1.2}
        axes[0].plot(losses, [by.get((f"loss-{x}-jitter-60", listener)) for x in losses], label=listener, **style)
        axes[1].plot(jitters, [by.get((f"loss-10-jitter-{x}", listener)) for x in jitters], **style)
    axes[0].set(xlabel="random loss, % (jitter p95 60 ms)", ylabel="PESQ-WB")
    axes[1].set(xlabel="jitter p95, ms (10 % loss)")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


LENGTHS = list(clip_lengths())
ORIGINAL = samples(WORK / "speech.wav")

if __name__ == "__main__":
    runs = scored((WORK / "out/runs.jsonl").read_text().splitlines())
    text = table(runs)
    print(text)
    if len(sys.argv) == 2:
        document = ROOT / "docs/jitter-buffer.md"
        before, rest = document.read_text().split("<!-- table -->\n")
        after = rest.split("<!-- end of table -->\n")[1]
        document.write_text(f"{before}<!-- table -->\n{text}\n<!-- end of table -->\n{after}")
        plot(runs, ROOT / "docs/images/jitter-buffer.png")
