//! `transcode IN OUT [RATE] [COMPLEXITY] …`: takes a sound file through the crate. For benches/versus-ffmpeg.sh.

use std::fs::File;
use std::io::BufWriter;

use voxpost_audio::{Options, normalise};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, output, rest @ ..] = &arguments[..] else {
        return Err("transcode IN OUT [COMPLEXITY]".into());
    };
    let mut options = Options::default();
    if let Some(complexity) = rest.first() {
        options.encoder.complexity = complexity.parse()?;
    }
    normalise(
        File::open(input)?,
        BufWriter::new(File::create(output)?),
        &options,
        &|| false,
    )?;
    Ok(())
}
