//! The parameters of Opus in SDP: the `a=fmtp` line of RFC 7587 §6.1 and §7.

use std::fmt;

/// What a receiver of Opus wishes for. `None` and `false` are the defaults of RFC 7587, which need no mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusFmtp {
    /// Shortest packet, in ms (`minptime`, 3 to 120).
    pub min_ptime_ms: Option<u8>,
    /// Highest rate that makes sense to play, in Hz (`maxplaybackrate`, 8,000 to 48,000).
    pub max_playback_rate: Option<u32>,
    /// Highest rate that was captured, in Hz (`sprop-maxcapturerate`, 8,000 to 48,000).
    pub max_capture_rate: Option<u32>,
    /// Highest mean bit rate in bit/s (`maxaveragebitrate`, 6,000 to 510,000).
    pub max_average_bitrate: Option<u32>,
    /// Stereo is preferred (`stereo`).
    pub stereo: bool,
    /// Stereo is likely to be sent (`sprop-stereo`).
    pub sends_stereo: bool,
    /// A constant bit rate is wished for (`cbr`).
    pub cbr: bool,
    /// FEC can be used (`useinbandfec`).
    pub in_band_fec: bool,
    /// Discontinuous transmission is wished for (`usedtx`).
    pub dtx: bool,
}

/// Why a line does not say how Opus is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FmtpError {
    /// No `a=fmtp:` with a payload type.
    #[error("this is no fmtp line")]
    NoFmtp,
    /// A known parameter has a value that RFC 7587 does not allow.
    #[error("the value of {0} is not allowed")]
    Value(&'static str),
}

impl OpusFmtp {
    /// Reads a line such as `a=fmtp:111 minptime=10;useinbandfec=1` (with or without `a=`) and gives the payload type too.
    /// Parameters that RFC 7587 does not know are stepped over.
    ///
    /// # Errors
    /// When it is another line, or a value is not allowed.
    pub fn parse(line: &str) -> Result<(u8, Self), FmtpError> {
        let line = line.trim();
        let rest = line.strip_prefix("a=").unwrap_or(line);
        let rest = rest.strip_prefix("fmtp:").ok_or(FmtpError::NoFmtp)?;
        let (kind, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
        let payload_type = kind
            .parse()
            .ok()
            .filter(|&kind: &u8| kind < 128)
            .ok_or(FmtpError::NoFmtp)?;
        let mut fmtp = Self::default();
        for parameter in parameters.split(';') {
            if let Some((name, value)) = parameter.split_once('=') {
                fmtp.set(name.trim(), value.trim())?;
            }
        }
        Ok((payload_type, fmtp))
    }

    /// The line, without its end: `a=fmtp:111 minptime=10;useinbandfec=1`. Empty parameters make a line of none.
    pub fn to_line(&self, payload_type: u8) -> String {
        format!("a=fmtp:{} {self}", payload_type & 0x7F)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), FmtpError> {
        // Names are compared without case, as media type parameters are (RFC 6838 §4.3).
        match name.to_ascii_lowercase().as_str() {
            "minptime" => self.min_ptime_ms = Some(number("minptime", value, 3, 120)? as u8),
            "maxplaybackrate" => {
                self.max_playback_rate = Some(number("maxplaybackrate", value, 8_000, 48_000)?);
            }
            "sprop-maxcapturerate" => {
                self.max_capture_rate = Some(number("sprop-maxcapturerate", value, 8_000, 48_000)?);
            }
            "maxaveragebitrate" => {
                self.max_average_bitrate = Some(number("maxaveragebitrate", value, 6_000, 510_000)?);
            }
            "stereo" => self.stereo = number("stereo", value, 0, 1)? == 1,
            "sprop-stereo" => self.sends_stereo = number("sprop-stereo", value, 0, 1)? == 1,
            "cbr" => self.cbr = number("cbr", value, 0, 1)? == 1,
            "useinbandfec" => self.in_band_fec = number("useinbandfec", value, 0, 1)? == 1,
            "usedtx" => self.dtx = number("usedtx", value, 0, 1)? == 1,
            _ => {}
        }
        Ok(())
    }
}

impl fmt::Display for OpusFmtp {
    /// The parameters, `;` between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [
            ("minptime", self.min_ptime_ms.map(u32::from)),
            ("maxplaybackrate", self.max_playback_rate),
            ("sprop-maxcapturerate", self.max_capture_rate),
            ("maxaveragebitrate", self.max_average_bitrate),
            ("stereo", self.stereo.then_some(1)),
            ("sprop-stereo", self.sends_stereo.then_some(1)),
            ("cbr", self.cbr.then_some(1)),
            ("useinbandfec", self.in_band_fec.then_some(1)),
            ("usedtx", self.dtx.then_some(1)),
        ];
        let mut between = "";
        for (name, value) in numbers {
            if let Some(value) = value {
                write!(f, "{between}{name}={value}")?;
                between = ";";
            }
        }
        Ok(())
    }
}

fn number(name: &'static str, value: &str, least: u32, most: u32) -> Result<u32, FmtpError> {
    value
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or(FmtpError::Value(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_7587_is_understood() {
        let line = "a=fmtp:101 maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; stereo=1; useinbandfec=1; usedtx=0";
        let (kind, fmtp) = OpusFmtp::parse(line).unwrap();
        assert_eq!(kind, 101);
        assert_eq!(
            fmtp,
            OpusFmtp {
                max_playback_rate: Some(16_000),
                max_capture_rate: Some(16_000),
                max_average_bitrate: Some(20_000),
                stereo: true,
                in_band_fec: true,
                ..OpusFmtp::default()
            }
        );
    }

    #[test]
    fn the_line_of_browsers_is_written_as_they_write_it() {
        let line = "a=fmtp:111 minptime=10;useinbandfec=1";
        let (kind, fmtp) = OpusFmtp::parse(line).unwrap();
        assert_eq!(fmtp.to_line(kind), line);
    }

    #[test]
    fn unknown_parameters_are_stepped_over_and_impossible_values_are_named() {
        assert!(OpusFmtp::parse("fmtp:111 x-new=7;;stereo").is_ok());
        assert_eq!(
            OpusFmtp::parse("a=fmtp:111 usedtx=2"),
            Err(FmtpError::Value("usedtx"))
        );
        assert_eq!(
            OpusFmtp::parse("a=fmtp:111 minptime=1"),
            Err(FmtpError::Value("minptime"))
        );
        assert_eq!(
            OpusFmtp::parse("a=rtpmap:111 opus/48000/2"),
            Err(FmtpError::NoFmtp)
        );
        assert_eq!(OpusFmtp::parse("a=fmtp:300 stereo=1"), Err(FmtpError::NoFmtp));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            minptime in proptest::option::of(3_u8..=120),
            bitrate in proptest::option::of(6_000_u32..=510_000),
            rate in proptest::option::of(8_000_u32..=48_000),
            flags in any::<[bool; 5]>(),
            kind in 0_u8..128,
        ) {
            let fmtp = OpusFmtp {
                min_ptime_ms: minptime,
                max_playback_rate: rate,
                max_capture_rate: rate,
                max_average_bitrate: bitrate,
                stereo: flags[0],
                sends_stereo: flags[1],
                cbr: flags[2],
                in_band_fec: flags[3],
                dtx: flags[4],
            };
            prop_assert_eq!(OpusFmtp::parse(&fmtp.to_line(kind)), Ok((kind, fmtp)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = OpusFmtp::parse(&text);
            let _ = OpusFmtp::parse(&format!("a=fmtp:111 {text}"));
        }
    }
}
