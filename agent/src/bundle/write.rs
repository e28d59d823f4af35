//! Writes a bundle.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::{Foot, Head, VERSION};
use crate::model::input::Input;

/// A bundle that is being written.
pub struct Writer<W: Write> {
    out: GzEncoder<W>,
    inputs: u64,
}

#[derive(Serialize)]
struct Last<'a> {
    foot: &'a Foot,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out: GzEncoder::new(out, Compression::default()),
            inputs: 0,
        };
        let head = Head {
            whynotready_bundle: VERSION.to_owned(),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
        };
        writer.line(&head)?;
        Ok(writer)
    }

    /// Adds what the engine is given next.
    pub fn input(&mut self, input: &Input) -> io::Result<()> {
        self.inputs += 1;
        self.line(input)
    }

    /// Writes the foot and gives the stream back.
    pub fn finish(mut self, mut foot: Foot) -> io::Result<W> {
        foot.inputs = self.inputs;
        self.line(&Last { foot: &foot })?;
        self.out.finish()
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}
