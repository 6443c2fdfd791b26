//! Damage that is the same in every run.

/// xorshift64*: small, seeded, the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    /// Often near the start, where the headers are.
    fn place(&mut self, len: usize) -> usize {
        if self.below(2) == 0 {
            self.below(len.min(600))
        } else {
            self.below(len)
        }
    }
}

/// One to four wounds of the kinds that disks, networks and attackers cause.
pub(crate) fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let len = file.len();
        if len == 0 {
            return;
        }
        let at = random.place(len);
        let size = 1 + random.below(64);
        match random.below(9) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => file.truncate(at.max(1)),
            3 => drop(file.drain(at..len.min(at + size))),
            4 => {
                let piece = file[at..len.min(at + size)].to_vec();
                let to = random.place(len);
                file.splice(to..to, piece);
            }
            5 => {
                let value = [0, 255][random.below(2)];
                file[at..len.min(at + size)].fill(value);
            }
            6 => {
                const LENGTHS: [u32; 6] = [0, 1, 7, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
                let value = LENGTHS[random.below(6)];
                let value = if random.below(2) == 0 {
                    value.to_be_bytes()
                } else {
                    value.to_le_bytes()
                };
                let end = len.min(at + 4);
                file[at..end].copy_from_slice(&value[..end - at]);
            }
            7 => {
                let junk: Vec<_> = (0..size).map(|_| random.next() as u8).collect();
                file.splice(at..at, junk);
            }
            _ => {
                let other = random.place(len);
                file.swap(at, other);
            }
        }
    }
}
