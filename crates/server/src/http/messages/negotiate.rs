//! In which form a sound is asked for (RFC 9110 §12.5.1). Pure.

use voxpost_audio::Rendition;

/// What an `Accept` header likes best of `available`, which has the server's own favourite first. None when it takes none.
pub(super) fn choose(accept: &str, available: &[Rendition]) -> Option<Rendition> {
    if accept.trim().is_empty() {
        return available.first().copied();
    }
    let ranges: Vec<MediaRange> = split(accept, ',').filter_map(MediaRange::parse).collect();
    let mut best = None;
    for &rendition in available {
        let quality = quality(rendition, &ranges);
        if quality > best.map_or(0.0, |(_, found)| found) {
            best = Some((rendition, quality));
        }
    }
    best.map(|(rendition, _)| rendition)
}

/// The quality of the most specific range that matches; the best of those that call it by different names.
fn quality(rendition: Rendition, ranges: &[MediaRange]) -> f32 {
    ranges
        .iter()
        .filter_map(|range| Some((range.matches(rendition)?, range.quality)))
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map_or(0.0, |(_, quality)| quality)
}

/// One of the ranges in a header.
struct MediaRange {
    /// Lower case.
    media: String,
    /// As in `codecs=`, when it is there.
    codecs: Option<String>,
    quality: f32,
}

impl MediaRange {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?;
        let mut range = Self {
            media: media.to_ascii_lowercase(),
            codecs: None,
            quality: 1.0,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "codecs" => range.codecs = Some(value.to_ascii_lowercase()),
                "q" => {
                    let quality = value.parse().ok().filter(|q: &f32| q.is_finite());
                    range.quality = quality.unwrap_or(1.0).clamp(0.0, 1.0);
                }
                _ => (),
            }
        }
        Some(range)
    }

    /// How specifically; None when not at all.
    fn matches(&self, rendition: Rendition) -> Option<u8> {
        let specific = match self.media.as_str() {
            "*/*" => 0,
            "audio/*" => 1,
            media if names(rendition).contains(&media) => 2,
            _ => return None,
        };
        match &self.codecs {
            None => Some(specific),
            Some(codecs) => codecs
                .split(',')
                .any(|codec| codec.trim() == codec_of(rendition))
                .then_some(specific + 3),
        }
    }
}

fn names(rendition: Rendition) -> &'static [&'static str] {
    match rendition {
        Rendition::Ogg => &["audio/ogg", "audio/opus", "application/ogg"],
        Rendition::Webm => &["audio/webm"],
        Rendition::Mp4 => &["audio/mp4"],
        Rendition::M4a => &["audio/mp4", "audio/x-m4a", "audio/m4a"],
        Rendition::Mp3 => &["audio/mpeg", "audio/mp3"],
        Rendition::Wav => &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
    }
}

fn codec_of(rendition: Rendition) -> &'static str {
    match rendition {
        Rendition::Ogg | Rendition::Webm | Rendition::Mp4 => "opus",
        Rendition::M4a => "mp4a.40.2",
        Rendition::Mp3 => "mp3",
        Rendition::Wav => "1",
    }
}

/// Splits where the separator is not in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rendition::{M4a, Mp3, Mp4, Ogg, Wav, Webm};

    const ALL: &[Rendition] = &[Ogg, Webm, Mp4, M4a, Mp3, Wav];

    #[test]
    fn the_highest_quality_wins_and_the_favourite_among_equals() {
        for (accept, expected) in [
            ("", Ogg),
            ("*/*", Ogg),
            ("audio/*", Ogg),
            ("audio/ogg", Ogg),
            ("audio/ogg; codecs=opus", Ogg),
            ("AUDIO/WEBM", Webm),
            ("audio/webm;codecs=\"opus\"", Webm),
            ("audio/mp4", Mp4),
            ("audio/mp4; codecs=\"mp4a.40.2\"", M4a),
            ("audio/mp4; codecs=\"mp4a.40.2, opus\"", Mp4),
            ("audio/mpeg", Mp3),
            ("audio/x-wav", Wav),
            ("audio/webm;q=0.5, audio/wav;q=0.8", Wav),
            ("audio/mp4, */*;q=0.1", Mp4),
            ("audio/ogg;q=0, */*", Webm),
            ("*/*, audio/ogg;q=0, audio/webm;q=0.2", Mp4),
            ("audio/ogg; codecs=vorbis, audio/wav;q=0.1", Wav),
            (
                "audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5",
                Ogg,
            ),
            ("audio/webm;q=x", Webm),
            ("text/html, audio/wav;q=0.001", Wav),
        ] {
            assert_eq!(choose(accept, ALL), Some(expected), "{accept}");
        }
    }

    #[test]
    fn what_takes_nothing_of_it_gets_nothing() {
        for accept in [
            "text/html",
            "audio/ogg;q=0",
            "*/*;q=0",
            "audio/*;q=0.0, text/*",
            "audio/ogg; codecs=vorbis",
            ",;,",
            "audio",
            "\"audio/ogg, */*",
        ] {
            assert_eq!(choose(accept, ALL), None, "{accept}");
        }
        assert_eq!(choose("audio/mpeg", &[Ogg, Wav]), None);
        assert_eq!(choose("", &[]), None);
    }
}
