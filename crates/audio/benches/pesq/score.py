#!/usr/bin/env python3
"""Mean PESQ-WB (ITU-T P.862.2) of recordings against their original: score.py ORIGINAL DEGRADED…

Needs ffmpeg and, in a virtual environment outside of the tree, `pip install pesq numpy`. Everything is brought to 16 kHz
mono, cut into pieces of 8 s, and scored piece by piece (PESQ was made for 8 to 20 s). Opus is decoded by libopus.
"""

import subprocess
import sys

import numpy
from pesq import NoUtterancesError, pesq

RATE = 16_000
PIECE = 8 * RATE


def samples(path):
    opus = ["-c:a", "libopus"] if path.endswith((".ogg", ".opus")) else []
    command = ["ffmpeg", "-v", "error", *opus, "-i", path, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return numpy.frombuffer(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout, numpy.float32)


def score(original, degraded):
    scores = []
    for start in range(0, min(len(original), len(degraded)) - PIECE // 2, PIECE):
        piece = slice(start, start + PIECE)
        try:
            scores.append(pesq(RATE, original[piece], degraded[piece], "wb"))
        except NoUtterancesError:
            continue  # nobody speaks in this piece
    return numpy.mean(scores)


original = samples(sys.argv[1])
for path in sys.argv[2:]:
    print(f"{score(original, samples(path)):.3f} {path}")
