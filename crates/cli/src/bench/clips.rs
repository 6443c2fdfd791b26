//! Recordings to send: ten seconds of speech each, Opus at 24 kbit/s, as a browser's MediaRecorder writes WebM (no duration,
//! unknown sizes, no cues). `make-clips.sh` beside them made them.

/// The clips, each with other words.
pub(super) const WEBM_10_S: [&[u8]; 3] = [
    include_bytes!("clips/speech-1.webm"),
    include_bytes!("clips/speech-2.webm"),
    include_bytes!("clips/speech-3.webm"),
];
