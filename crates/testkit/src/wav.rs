//! The plainest WAV files: 16-bit PCM, mono, 48 kHz.

/// Rate in Hz.
const RATE: u32 = 48_000;

/// Reads the samples, -1 to 1.
///
/// # Errors
/// What is wrong with the file, for people.
pub fn read_mono_48k(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let body = bytes
        .strip_prefix(b"RIFF")
        .and_then(|rest| rest.get(4..))
        .and_then(|rest| rest.strip_prefix(b"WAVE"))
        .ok_or("no WAV file")?;
    let format = chunk(body, b"fmt ").ok_or("no format")?;
    let wanted = [
        &1_u16.to_le_bytes()[..],
        &1_u16.to_le_bytes(),
        &RATE.to_le_bytes(),
    ]
    .concat();
    if !format.starts_with(&wanted) || format.get(14..16) != Some(&16_u16.to_le_bytes()[..]) {
        return Err("not 16-bit mono PCM at 48 kHz".into());
    }
    let data = chunk(body, b"data").ok_or("no samples")?;
    Ok(data
        .chunks_exact(2)
        .map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])) / 32_768.0)
        .collect())
}

/// Writes samples, -1 to 1; what is louder is cut.
pub fn write_mono_48k(samples: &[f32]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    for sample in samples {
        let value = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        file.extend(value.to_le_bytes());
    }
    file
}

fn chunk<'a>(mut body: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (found, rest) = body.split_at_checked(4)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if found == name {
            return Some(&rest[..length.min(rest.len())]);
        }
        body = rest.get(length + length % 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let samples = [0.0, 0.5, -1.0, 0.25];
        assert_eq!(read_mono_48k(&write_mono_48k(&samples)).unwrap(), samples);
        assert!(read_mono_48k(b"OggS").is_err());
    }
}
