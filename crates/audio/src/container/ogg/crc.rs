//! The Ogg page checksum (RFC 3533 §6): CRC-32 with polynomial 0x04C11DB7, not reflected, no inversion. It is not the
//! CRC of zip and PNG, so `crc32fast` does not fit. Eight bytes per step (slice-by-8).

const POLYNOMIAL: u32 = 0x04C1_1DB7;

const TABLES: [[u32; 256]; 8] = tables();

/// Continues `crc` (0 at first) over `bytes`.
pub(crate) fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in chunks {
        let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        crc = TABLES[7][a as usize]
            ^ TABLES[6][b as usize]
            ^ TABLES[5][c as usize]
            ^ TABLES[4][d as usize]
            ^ TABLES[3][e as usize]
            ^ TABLES[2][f as usize]
            ^ TABLES[1][g as usize]
            ^ TABLES[0][h as usize];
    }
    for &byte in rest {
        crc = (crc << 8) ^ TABLES[0][((crc >> 24) as u8 ^ byte) as usize];
    }
    crc
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 != 0 {
                (crc << 1) ^ POLYNOMIAL
            } else {
                crc << 1
            };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut slice = 1;
    while slice < 8 {
        let mut i = 0;
        while i < 256 {
            let before = tables[slice - 1][i];
            tables[slice][i] = (before << 8) ^ tables[0][(before >> 24) as usize];
            i += 1;
        }
        slice += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: one bit at a time.
    fn plain(bytes: &[u8]) -> u32 {
        let mut crc = 0u32;
        for &byte in bytes {
            crc ^= u32::from(byte) << 24;
            for _ in 0..8 {
                crc = if crc & 0x8000_0000 != 0 {
                    (crc << 1) ^ POLYNOMIAL
                } else {
                    crc << 1
                };
            }
        }
        crc
    }

    #[test]
    fn the_check_value_of_this_crc_is_right() {
        // "123456789" under CRC-32 with this polynomial, init 0, no reflection, no final xor.
        assert_eq!(update(0, b"123456789"), 0x89A1_897F);
    }

    proptest! {
        #[test]
        fn the_fast_way_equals_the_definition_in_any_cut(bytes: Vec<u8>, cut in 0usize..64) {
            let cut = cut.min(bytes.len());
            let crc = update(update(0, &bytes[..cut]), &bytes[cut..]);
            prop_assert_eq!(crc, plain(&bytes));
        }
    }
}
