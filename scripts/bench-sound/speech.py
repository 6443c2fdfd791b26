"""What the tables share: clips of speech, the way through the crate and through ffmpeg, and PESQ."""
import resource
import subprocess
from pathlib import Path

import numpy as np
from pesq import pesq

SPEECH = Path("crates/testkit/fixtures/speech")
REFERENCE = Path("crates/audio/fixtures/sound/speech.flac")


def ffmpeg(*arguments, stdin=None):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, input=stdin, capture_output=True).stdout


def clips(work):
    """Eight clips: six of four speakers in English and Spanish, at 16 kHz but for one at 44.1 kHz, and two made voices."""
    made = {}
    for name in ("es-mx", "katiesteve-1", "katiesteve-2", "vosk"):
        made[name] = SPEECH / f"{name}.flac"
    made["jfk, the end"] = work / "jfk.wav"
    ffmpeg("-ss", 4, "-i", SPEECH / "jfk.flac", made["jfk, the end"])
    made["jfk, 44.1 kHz"] = REFERENCE
    text = "The ship was torn apart on the sharp reef. Sickness kept him home the third week. The hogs were fed chopped corn."
    for voice in ("en+f3", "en+m7"):
        made[f"espeak-ng {voice}"] = work / f"{voice}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", made[f"espeak-ng {voice}"], text], check=True)
    return made


def samples(path, rate=16_000):
    # ffmpeg's own Opus decoder differs from the reference in SILK frames.
    decoder = ["-c:a", "libopus"] if str(path).endswith(".ogg") else []
    raw = ffmpeg(*decoder, "-i", path, "-ac", 1, "-ar", rate, "-f", "f32le", "-")
    return np.frombuffer(raw, "<f4").astype(np.float64)


def score(original, degraded, mode="wb"):
    rate = 16_000 if mode == "wb" else 8_000
    a, b = samples(original, rate), samples(degraded, rate)
    length = min(len(a), len(b))
    return pesq(rate, a[:length], b[:length], mode)


def cpu(command):
    """User and system seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def transcode(programs, source, out, **settings):
    """Through the crate; gives CPU seconds."""
    words = [f"{key}={value}" for key, value in settings.items()]
    return cpu([Path(programs) / "transcode", source, out, *words])
