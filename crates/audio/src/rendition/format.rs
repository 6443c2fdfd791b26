/// A form in which a message can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rendition {
    /// The canonical object: Ogg Opus.
    Ogg,
    /// WebM with the same Opus packets.
    Webm,
    /// MP4 with the same Opus packets.
    Mp4,
    /// 16-bit samples at 16 kHz, mono: plays wherever sound plays.
    Wav,
    /// MP4 with AAC-LC, encoded anew; feature `enc-aac`.
    M4a,
    /// MP3, encoded anew; feature `enc-mp3`.
    Mp3,
}

impl Rendition {
    /// What this build can make, the best for a player that takes them all first.
    pub const AVAILABLE: &[Rendition] = &[
        Rendition::Ogg,
        Rendition::Webm,
        Rendition::Mp4,
        #[cfg(feature = "enc-aac")]
        Rendition::M4a,
        #[cfg(feature = "enc-mp3")]
        Rendition::Mp3,
        Rendition::Wav,
    ];

    /// Its name in the wire contract, and the ending of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rendition::Ogg => "ogg",
            Rendition::Webm => "webm",
            Rendition::Mp4 => "mp4",
            Rendition::Wav => "wav",
            Rendition::M4a => "m4a",
            Rendition::Mp3 => "mp3",
        }
    }

    /// Its media type, codec included (RFC 6381).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Rendition::Ogg => "audio/ogg; codecs=opus",
            Rendition::Webm => "audio/webm; codecs=opus",
            Rendition::Mp4 => "audio/mp4; codecs=opus",
            Rendition::Wav => "audio/wav",
            Rendition::M4a => "audio/mp4; codecs=mp4a.40.2",
            Rendition::Mp3 => "audio/mpeg",
        }
    }

    /// The one with that [`name`](Self::name), if this build makes it.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::AVAILABLE
            .iter()
            .copied()
            .find(|rendition| rendition.name() == name)
    }
}
