//! Opus packets as bytes: the TOC and the frame packing of RFC 6716 §3. Nothing is decoded.

use std::fmt;

/// Longest packet in samples at 48 kHz: 120 ms (R5).
pub const MAX_SAMPLES_48K: u32 = 5760;
/// Longest frame in bytes (R2).
pub const MAX_FRAME_BYTES: usize = 1275;
/// No valid packet without absurd padding is longer: 48 frames of 1275 bytes and their headers, rounded as
/// RFC 7845 §6 recommends.
pub const MAX_PACKET_BYTES: usize = 61_440;

/// What a valid packet says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketInfo {
    /// Play time in samples at 48 kHz, 120 to 5760.
    pub samples_48k: u32,
    /// Frames inside, 1 to 48.
    pub frames: u8,
    /// Whether the frames are coded in stereo.
    pub stereo: bool,
}

/// Why a packet is malformed: the rule of RFC 6716 §3.4 that it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// 1 to 7, for R1 to R7.
    pub rule: u8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an Opus packet breaks rule R{} of RFC 6716 §3.4", self.rule)
    }
}

impl std::error::Error for Malformed {}

/// Play time of one frame of a packet with this TOC byte, in samples at 48 kHz (RFC 6716 table 2).
pub const fn frame_samples_48k(toc: u8) -> u32 {
    let config = toc >> 3;
    match config {
        0..=11 => [480, 960, 1920, 2880][(config & 3) as usize],
        12..=15 => [480, 960][(config & 1) as usize],
        _ => [120, 240, 480, 960][(config & 3) as usize],
    }
}

/// Checks a packet against R1–R7 of RFC 6716 §3.4 and gives its play time.
///
/// # Errors
/// The first rule that is broken.
pub fn check(packet: &[u8]) -> Result<PacketInfo, Malformed> {
    let (&toc, rest) = packet.split_first().ok_or(Malformed { rule: 1 })?;
    let frames = match toc & 3 {
        0 => one_frame(rest)?,
        1 => two_equal_frames(rest)?,
        2 => two_frames(rest)?,
        _ => counted_frames(toc, rest)?,
    };
    Ok(PacketInfo {
        samples_48k: u32::from(frames) * frame_samples_48k(toc),
        frames,
        stereo: toc & 4 != 0,
    })
}

/// [`check`], or [`check_multistream`] for packets of several streams.
pub(crate) fn check_as(multistream: bool, packet: &[u8]) -> Result<PacketInfo, Malformed> {
    if multistream {
        check_multistream(packet)
    } else {
        check(packet)
    }
}

/// Play time of a packet of several streams (RFC 6716 appendix B), by the head of its first stream: all are equally long.
/// What is inside is left to the decoder.
pub(crate) fn check_multistream(packet: &[u8]) -> Result<PacketInfo, Malformed> {
    let &[toc, ref rest @ ..] = packet else {
        return Err(Malformed { rule: 1 });
    };
    let frames = match (toc & 3, rest) {
        (_, []) => return Err(Malformed { rule: 1 }),
        (0, _) => 1,
        (1 | 2, _) => 2,
        (_, [count, ..]) => count & 0x3F,
    };
    let samples_48k = u32::from(frames) * frame_samples_48k(toc);
    if samples_48k == 0 || samples_48k > MAX_SAMPLES_48K {
        return Err(Malformed { rule: 5 });
    }
    Ok(PacketInfo {
        samples_48k,
        frames,
        stereo: toc & 4 != 0,
    })
}

/// Code 0.
fn one_frame(rest: &[u8]) -> Result<u8, Malformed> {
    if rest.len() > MAX_FRAME_BYTES {
        Err(Malformed { rule: 2 })
    } else {
        Ok(1)
    }
}

/// Code 1: R3 wants an even payload.
fn two_equal_frames(rest: &[u8]) -> Result<u8, Malformed> {
    if !rest.len().is_multiple_of(2) {
        Err(Malformed { rule: 3 })
    } else if rest.len() / 2 > MAX_FRAME_BYTES {
        Err(Malformed { rule: 2 })
    } else {
        Ok(2)
    }
}

/// Code 2: R4 wants the first length whole and within the packet.
fn two_frames(rest: &[u8]) -> Result<u8, Malformed> {
    let (first, used) = frame_length(rest).ok_or(Malformed { rule: 4 })?;
    let second = rest
        .len()
        .checked_sub(used + first)
        .ok_or(Malformed { rule: 4 })?;
    if second > MAX_FRAME_BYTES {
        Err(Malformed { rule: 2 })
    } else {
        Ok(2)
    }
}

/// Code 3: R5 bounds count and time, R6 (CBR) and R7 (VBR) the sizes.
fn counted_frames(toc: u8, rest: &[u8]) -> Result<u8, Malformed> {
    let (&head, mut rest) = rest.split_first().ok_or(Malformed { rule: 6 })?;
    let (vbr, padded, count) = (head & 0x80 != 0, head & 0x40 != 0, head & 0x3F);
    let broken = Malformed {
        rule: if vbr { 7 } else { 6 },
    };
    if count == 0 || u32::from(count) * frame_samples_48k(toc) > MAX_SAMPLES_48K {
        return Err(Malformed { rule: 5 });
    }
    if padded {
        rest = without_padding(rest).ok_or(broken)?;
    }
    if vbr {
        let mut sum = 0;
        for _ in 1..count {
            let (length, used) = frame_length(rest).ok_or(broken)?;
            sum += length;
            rest = &rest[used..];
        }
        let last = rest.len().checked_sub(sum).ok_or(broken)?;
        if last > MAX_FRAME_BYTES {
            return Err(Malformed { rule: 2 });
        }
    } else if !rest.len().is_multiple_of(count.into()) {
        return Err(broken);
    } else if rest.len() / usize::from(count) > MAX_FRAME_BYTES {
        return Err(Malformed { rule: 2 });
    }
    Ok(count)
}

/// Reads the padding length (each 255 stands for 254 and another byte) and cuts the padding off the end.
fn without_padding(mut rest: &[u8]) -> Option<&[u8]> {
    let mut padding = 0usize;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte == 255 {
            padding += 254;
        } else {
            padding += usize::from(byte);
            return rest.get(..rest.len().checked_sub(padding)?);
        }
    }
}

/// A frame length of one or two bytes (RFC 6716 §3.2.1): (length, bytes used).
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [a @ 0..=251, ..] => Some((a.into(), 1)),
        [a, b, ..] => Some((usize::from(b) * 4 + usize::from(a), 2)),
        _ => None,
    }
}
