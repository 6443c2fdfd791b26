//! What happens to a resumable upload, step by step, against the model of crates/proto/tests.
#![no_main]

#[path = "../../crates/proto/tests/upload_model/model.rs"]
mod model;

use model::{Model, Step};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, operations)) = data.split_first_chunk::<2>() else {
        return;
    };
    let length = u64::from(u16::from_be_bytes(*length));
    let mut model = Model::new((length & 1 == 0).then_some(length >> 1));
    for &[operation, a, b] in operations.as_chunks::<3>().0 {
        let (writer, a, b) = (usize::from(operation >> 4), u64::from(a), u64::from(b));
        model.step(match operation & 0xf {
            0 | 1 => Step::TakeOver { writer },
            2..=5 => Step::Append { writer, len: a },
            6 | 7 => Step::Chunk { writer, back: a, len: b },
            8..=10 => Step::Commit { writer },
            11 => Step::Announce { writer, length: a << 8 | b },
            12 => Step::Finish { writer },
            13 => Step::Cut { writer },
            14 => Step::Restart { kept: a },
            _ => Step::Rest { ms: (a << 8 | b) as i64 },
        });
    }
    model.resume_to_the_end();
});
