#!/usr/bin/env python3
"""resampler.py PROGRAMS WORK: the crate's resampler and soxr, tone by tone: pass band, stop band, distortion and delay."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import soxr

PAIRS = [(44_100, 48_000), (48_000, 16_000), (48_000, 24_000), (16_000, 48_000), (8_000, 48_000), (48_000, 44_100)]
SECONDS = 0.5
LEVEL = 0.5


def tones(frequencies, rate):
    t = np.arange(int(SECONDS * rate)) / rate
    fade = np.clip(np.minimum(t, SECONDS - t) / 0.05, 0, 1)
    return np.concatenate([LEVEL * np.sin(2 * np.pi * f * t) * fade for f in frequencies])


def pieces(sound, count, rate):
    """The middle of each tone."""
    length = SECONDS * rate
    return [sound[int((i + 0.3) * length) : int((i + 0.7) * length)] for i in range(count)]


def gain_and_rest(piece, frequency, rate):
    """Amplitude at a frequency in dB, and all else relative to it."""
    t = np.arange(len(piece)) / rate
    basis = np.stack([np.cos(2 * np.pi * frequency * t), np.sin(2 * np.pi * frequency * t)], 1)
    fit, *_ = np.linalg.lstsq(basis, piece, rcond=None)
    rest = np.sqrt(2 * np.mean((piece - basis @ fit) ** 2)) / LEVEL
    return 20 * np.log10(np.hypot(*fit) / LEVEL), 20 * np.log10(max(rest, 1e-10))


def measure(convert, source, target):
    nyquist = min(source, target) / 2
    low = np.linspace(0.01, 0.999, 120) * nyquist
    heard = pieces(convert(tones(low, source)), len(low), target)
    found = [gain_and_rest(piece, f, target) for piece, f in zip(heard, low)]
    gains = np.array([gain for gain, _ in found])
    inner = low <= 0.9 * nyquist
    ripple = np.max(np.abs(gains[inner]))
    rest = max(rest for (_, rest), inside in zip(found, inner) if inside)
    edge = low[np.argmax(gains < -1)] if np.any(gains < -1) else nyquist
    stop = None
    if target < source:
        high = np.linspace(1.0, source / 2 / nyquist * 0.99, 80) * nyquist
        left = pieces(convert(tones(high, source)), len(high), target)
        levels = [20 * np.log10(max(np.sqrt(2 * np.mean(piece**2)) / LEVEL, 1e-10)) for piece in left]
        stop = (max(levels[int(0.1 * len(levels)) :]), levels[0])
    return ripple, edge / nyquist, rest, stop


def main():
    program = Path(sys.argv[1]) / "resample"

    def ours(source, target):
        def convert(sound):
            command = [program, str(source), str(target)]
            raw = subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True, capture_output=True).stdout
            return np.frombuffer(raw, "<f4").astype(np.float64)

        return convert

    def latency(source, target):
        command = [program, str(source), str(target), "latency"]
        return float(subprocess.run(command, check=True, capture_output=True, input=b"").stdout)

    def soxr_latency(source, target):
        stream = soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")
        given = 0
        while len(stream.resample_chunk(np.zeros(16, "float32"))) == 0:
            given += 16
        return given / source * 1000

    print("| from → to | resampler | ripple to 0.9 of the band | −1 dB at | all else | stop band, at its edge | delay |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for source, target in PAIRS:
        for name, convert, delay in (
            ("Voxpost", ours(source, target), latency(source, target)),
            ("soxr HQ", lambda x: soxr.resample(x, source, target, quality="HQ"), soxr_latency(source, target)),
        ):
            ripple, edge, rest, stop = measure(convert, source, target)
            stops = "" if stop is None else f"{stop[0]:.0f} dB, {stop[1]:.0f} dB"
            print(
                f"| {source:,} → {target:,} | {name} | {ripple:.3f} dB | {edge:.3f} | {rest:.0f} dB | {stops} | {delay:.1f} ms |",
                flush=True,
            )


main()
