#!/usr/bin/env python3
"""score.py CLEAN_UP WORK: mixes speech with noise, hands it to the program CLEAN_UP, and prints PESQ-WB and STOI before and
after. Babble is the other speakers, all talking at once; the machine is a fan: brown noise, a hum and its harmonics."""
import subprocess
import sys
from pathlib import Path

import numpy as np
from pesq import pesq
from pystoi import stoi

RATE = 48_000
SPEECH = Path("crates/testkit/fixtures/speech")
CLIPS = ["es-mx", "katiesteve-1", "katiesteve-2", "jfk", "vosk"]


def read(path, rate):
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(rate), "-f", "f32le", "-"],
        check=True,
        capture_output=True,
    ).stdout
    return np.frombuffer(raw, "<f4").astype(np.float64)


def write(path, sound):
    raw = np.clip(sound, -1, 1).astype("<f4").tobytes()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE), "-ac", "1", "-i", "-", path],
        input=raw,
        check=True,
    )


def power(sound):
    return np.mean(sound**2)


def babble(clips, without, samples):
    out = np.zeros(samples)
    for turn in range(2):
        for i, (name, clip) in enumerate(clips.items()):
            if name == without:
                continue
            start = (i + 1) * 17_000 + turn * 31_000
            out += np.resize(np.roll(clip, start), samples) / np.sqrt(power(clip))
    return out


def machine(samples):
    rng = np.random.default_rng(1)
    white = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    noise = np.fft.irfft(white / np.maximum(hz, 60) ** 0.7, samples)
    t = np.arange(samples) / RATE
    hum = sum(np.sin(2 * np.pi * 120 * k * t + k) / k for k in range(1, 12))
    return noise / np.sqrt(power(noise)) + 0.6 * hum


def scores(reference, path):
    heard = read(path, 16_000)
    length = min(len(reference), len(heard))
    a, b = reference[:length], heard[:length]
    return pesq(16_000, a, b, "wb"), stoi(a, b, 16_000)


def main():
    clean_up, work = sys.argv[1], Path(sys.argv[2])
    clips = {name: read(SPEECH / f"{name}.flac", RATE) for name in CLIPS}
    print("| sound | PESQ-WB as it is | gate | suppress | STOI as it is | gate | suppress |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    cases = [("clean", None, None)]
    cases += [(f"{kind}, {snr} dB", kind, snr) for kind in ("babble", "machine") for snr in (5, 10, 15)]
    for title, kind, snr in cases:
        rows = {mode: [] for mode in ("off", "gate", "suppress")}
        for name, clip in clips.items():
            noisy = clip.copy()
            if kind:
                noise = babble(clips, name, len(clip)) if kind == "babble" else machine(len(clip))
                noisy = clip + noise * np.sqrt(power(clip) / power(noise) / 10 ** (snr / 10))
            # Quiet enough that nothing clips.
            gain = 0.5 / max(0.5, np.max(np.abs(noisy)))
            write(work / "noisy.wav", noisy * gain)
            write(work / "clean.wav", clip * gain)
            reference = read(work / "clean.wav", 16_000)
            for mode, row in rows.items():
                out = work / f"{mode}.wav"
                subprocess.run([clean_up, mode, work / "noisy.wav", out], check=True)
                row.append(scores(reference, out))
        means = {mode: np.mean(row, axis=0) for mode, row in rows.items()}
        cells = [f"{means[mode][metric]:.{2 + metric}f}" for metric in (0, 1) for mode in rows]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


main()
