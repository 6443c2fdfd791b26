//! `transcode IN OUT [complexity=N] [bitrate=BPS] [fit=0|1] [bandwidth=narrow|wide|superwide|full]`: takes a sound file through the
//! crate. For the scripts that compare it.

use std::fs::File;
use std::io::BufWriter;

use voxpost_audio::{Bandwidth, Options, normalise};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, output, settings @ ..] = &arguments[..] else {
        return Err("transcode IN OUT [complexity=N] [bitrate=BPS] [fit=0|1] [bandwidth=NAME]".into());
    };
    let mut options = Options::default();
    for setting in settings {
        let encoder = &mut options.encoder;
        match setting
            .split_once('=')
            .ok_or("a setting is a name, = and a value")?
        {
            ("complexity", value) => encoder.complexity = value.parse()?,
            ("bitrate", value) => encoder.bitrate_bps = value.parse()?,
            ("fit", value) => encoder.fit = value == "1",
            ("bandwidth", value) => {
                encoder.bandwidth = match value {
                    "narrow" => Bandwidth::Narrow,
                    "wide" => Bandwidth::Wide,
                    "superwide" => Bandwidth::SuperWide,
                    _ => Bandwidth::Full,
                }
            }
            (name, _) => return Err(format!("no setting is called {name}").into()),
        }
    }
    normalise(
        File::open(input)?,
        BufWriter::new(File::create(output)?),
        &options,
        &|| false,
    )?;
    Ok(())
}
