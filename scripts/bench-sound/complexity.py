#!/usr/bin/env python3
"""complexity.py PROGRAMS WORK: PESQ-WB and CPU time at every complexity of libopus, and the lowest that is as good as the best."""
import sys
from pathlib import Path

import numpy as np
from speech import clips, ffmpeg, score, transcode

WITHIN = 0.02


def main():
    programs, work = sys.argv[1], Path(sys.argv[2])
    found = clips(work)
    # A minute at 48 kHz, for the time.
    minute = work / "minute.wav"
    ffmpeg("-stream_loop", -1, "-i", found["jfk, 44.1 kHz"], "-t", 60, "-ar", 48_000, minute)
    times = {complexity: [] for complexity in range(11)}
    for _ in range(5):
        for complexity in times:
            times[complexity].append(transcode(programs, minute, work / "out.ogg", complexity=complexity))
    means = {}
    for complexity in times:
        scores = []
        for clip in found.values():
            transcode(programs, clip, work / "out.ogg", complexity=complexity)
            scores.append(score(clip, work / "out.ogg"))
        means[complexity] = (np.mean(scores), min(scores))
    best = max(mean for mean, _ in means.values())
    chosen = min(c for c, (mean, _) in means.items() if mean >= best - WITHIN)
    print("| complexity | PESQ-WB, mean of eight clips | worst clip | 60 s of WAV, CPU, median of five |")
    print("| --- | --- | --- | --- |")
    for complexity, (mean, worst) in means.items():
        mark = "**" if complexity == chosen else ""
        print(f"| {mark}{complexity}{mark} | {mean:.3f} | {worst:.3f} | {np.median(times[complexity]):.2f} s |")
    print(f"\nThe lowest within {WITHIN} of the highest: {chosen}.")


main()
