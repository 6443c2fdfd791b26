#!/usr/bin/env python3
"""fit.py PROGRAMS WORK: what a share of the bit rate costs where the sound is narrow: PESQ and bytes, fitted and as it is."""
import sys
from pathlib import Path

import numpy as np
from speech import clips, ffmpeg, score, transcode

# Name, how the clips become it, whether ITU-T P.862 or P.862.2 hears it, Opus's bandwidth.
KINDS = [
    ("telephone, 300 to 3,400 Hz", "highpass=f=300:p=2,aresample=8000", "nb", "narrow"),
    ("up to 8 kHz", "aresample=16000", "wb", "wide"),
    ("as it is", "anull", "wb", "full"),
]


def main():
    programs, work = sys.argv[1], Path(sys.argv[2])
    print("| sound | coded | bytes | PESQ |")
    print("| --- | --- | --- | --- |")
    for kind, how, mode, bandwidth in KINDS:
        sources = []
        for number, clip in enumerate(clips(work).values()):
            source = work / f"kind-{number}.wav"
            # As a recorder in a browser would hand it over: at 48 kHz whatever it holds.
            ffmpeg("-i", clip, "-af", f"{how},aresample=48000:filter_size=256:cutoff=0.99", "-ar", 48_000, source)
            sources.append(source)
        runs = {"at 24 kbit/s, unfitted": {"fit": 0}}
        if bandwidth != "full":
            for share in (60, 75, 85, 100):
                runs[f"{bandwidth}, {share} %"] = {"fit": 0, "bandwidth": bandwidth, "bitrate": 240 * share}
        runs["fitted"] = {}
        for title, settings in runs.items():
            scores, bytes_ = [], 0
            for source in sources:
                transcode(programs, source, work / "out.ogg", **settings)
                scores.append(score(source, work / "out.ogg", mode))
                bytes_ += (work / "out.ogg").stat().st_size
            name = "PESQ-NB" if mode == "nb" else "PESQ-WB"
            print(f"| {kind} | {title} | {bytes_:,} | {np.mean(scores):.3f} ({name}) |", flush=True)


main()
