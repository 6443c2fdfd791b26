//! AudioSpecificConfig: what an AAC stream is, by the object type that it begins with (ISO/IEC 14496-3 §1.6.2.1).

const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// The configuration of the AAC-LC core of HE-AAC, when this is one: the lower half of the band, in mono for version 2.
/// Speech is all there; what spectral band replication would put above is made up anyway.
pub(super) fn lc_core(config: &[u8]) -> Option<[u8; 2]> {
    let mut bits = Bits { config, at: 0 };
    let profile = bits.read(5)?;
    let rate = bits.read(4)?;
    let channels = bits.read(4)?;
    if !matches!(profile, SBR | PS) || rate == 15 {
        return None;
    }
    if bits.read(4)? == 15 {
        bits.read(24)?;
    }
    // Frames of 960 samples, a core coder and extensions cannot be read.
    let is_plain_core = bits.read(5)? == AAC_LC && bits.read(3)? == 0;
    is_plain_core.then_some(((AAC_LC << 11 | rate << 7 | channels << 3) as u16).to_be_bytes())
}

/// The profile, for people.
pub(super) fn name(config: &[u8]) -> &'static str {
    match config.first().map(|byte| byte >> 3) {
        Some(1) => "AAC Main",
        Some(2) => "AAC-LC with more than two channels or frames of 960 samples",
        Some(3) => "AAC SSR",
        Some(4) => "AAC LTP",
        Some(5) => "HE-AAC of this kind",
        Some(23) => "AAC-LD",
        Some(29) => "HE-AAC v2 of this kind",
        // 31 escapes to the types from 32 up: 39 is AAC-ELD, 42 is USAC.
        Some(31) => "AAC-ELD or xHE-AAC",
        _ => "this profile of AAC",
    }
}

/// Bits from the most significant on.
struct Bits<'a> {
    config: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 24.
    fn read(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.config.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_aac_has_a_core_of_half_the_rate() {
        // SBR over 22.05 kHz, mono, to 44.1 kHz, AAC-LC: as fdk-aac writes it.
        let config = [0b0010_1011, 0b1000_1010, 0b0000_1000, 0];
        assert_eq!(lc_core(&config), Some([0x13, 0x88]));
        // PS over 24 kHz.
        let config = [0b1110_1011, 0b0000_1001, 0b1000_1000, 0];
        assert_eq!(lc_core(&config), Some([0x13, 0x08]));
    }

    #[test]
    fn other_profiles_and_cut_configurations_have_none() {
        assert_eq!(lc_core(&[0x12, 0x08]), None);
        let config = [0b0010_1011, 0b1000_1010, 0b0000_1000, 0];
        for end in 0..config.len() {
            assert_eq!(lc_core(&config[..end]), None);
        }
        // An escaped rate, another core, frames of 960 samples.
        for config in [
            [0x2F, 0xFF, 0xFF, 0],
            [0b0010_1011, 0b1000_1010, 0b0001_0000, 0],
            [0b0010_1011, 0b1000_1010, 0b0000_1010, 0],
        ] {
            assert_eq!(lc_core(&config), None, "{config:?}");
        }
    }
}
