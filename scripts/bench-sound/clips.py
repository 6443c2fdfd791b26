#!/usr/bin/env python3
"""clips.py PROGRAMS WORK: eight clips of speech through the whole path, next to ffmpeg: PESQ-WB and bytes."""
import sys
from pathlib import Path

import numpy as np
from speech import clips, ffmpeg, score, transcode


def main():
    programs, work = sys.argv[1], Path(sys.argv[2])
    print("| clip | Voxpost, PESQ-WB | ffmpeg | Voxpost, bytes | ffmpeg |")
    print("| --- | --- | --- | --- | --- |")
    rows = []
    for name, clip in clips(work).items():
        ours, theirs = work / "ours.ogg", work / "theirs.ogg"
        transcode(programs, clip, ours)
        ffmpeg("-i", clip, "-ac", 1, "-c:a", "libopus", "-b:a", "24k", theirs)
        row = (score(clip, ours), score(clip, theirs), ours.stat().st_size, theirs.stat().st_size)
        rows.append(row)
        print("| {} | {:.3f} | {:.3f} | {:,} | {:,} |".format(name, *row), flush=True)
    mean = np.mean(rows, axis=0)
    print("| mean | {:.3f} | {:.3f} | {:,.0f} | {:,.0f} |".format(*mean))


main()
