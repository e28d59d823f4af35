//! What the engine was given lately, kept in memory for incident bundles and the debug endpoint. Bounded by bytes.

use std::collections::VecDeque;
use std::io;

use crate::bundle::Foot;
use crate::bundle::write::Writer;
use crate::model::input::{Input, Observation};

/// Bytes kept, as far as they are counted: 4 MiB.
const BYTES: usize = 4 << 20;
/// A fact or a beat without its texts.
const SMALL: usize = 96;

/// The newest inputs, oldest first.
#[derive(Debug, Default)]
pub struct Kept {
    inputs: VecDeque<Input>,
    bytes: usize,
}

impl Kept {
    /// Keeps one more; the oldest go when there are too many.
    pub fn add(&mut self, input: &Input) {
        self.bytes += size(input);
        self.inputs.push_back(input.clone());
        while self.bytes > BYTES {
            match self.inputs.pop_front() {
                Some(old) => self.bytes -= size(&old),
                None => return,
            }
        }
    }

    /// The newest observations, newest first.
    pub fn newest(&self, most: usize) -> impl Iterator<Item = &Observation> {
        let observed = self.inputs.iter().rev().filter_map(|input| match input {
            Input::Observed(observation) => Some(observation),
            _ => None,
        });
        observed.take(most)
    }

    /// A copy, to be written elsewhere.
    pub fn copy(&self) -> Vec<Input> {
        self.inputs.iter().cloned().collect()
    }
}

fn size(input: &Input) -> usize {
    match input {
        Input::Observed(o) => SMALL * 2 + o.text.len() + o.facts.len() * SMALL * 2,
        Input::Gap(gap) => SMALL + gap.reason.len(),
        Input::Beat(_) | Input::Tick(_) | Input::End(_) => SMALL,
    }
}

/// A bundle of at most `most` bytes: where all is too much, the oldest go.
pub fn bundle(inputs: &[Input], foot: &Foot, most: u64) -> io::Result<Vec<u8>> {
    let mut from = 0;
    loop {
        let mut writer = Writer::new(Vec::new())?;
        for input in &inputs[from..] {
            writer.input(input)?;
        }
        let bytes = writer.finish(foot.clone())?;
        if bytes.len() as u64 <= most || from >= inputs.len() {
            return Ok(bytes);
        }
        let left = inputs.len() - from;
        // As many as should fit, and a tenth less.
        let fit = (left as u128 * u128::from(most) * 9 / 10 / (bytes.len() as u128).max(1)) as usize;
        from = inputs.len() - fit.min(left - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::input::Gap;

    fn gap(n: usize) -> Input {
        let reason: String = (0..400)
            .map(|i| char::from(b'a' + ((n * 31 + i * i * 7) % 26) as u8))
            .collect();
        Input::Gap(Gap {
            source: "journal".into(),
            from: None,
            to: None,
            reason: format!("{n} {reason}"),
            grant: None,
        })
    }

    #[test]
    fn the_oldest_go() {
        let mut kept = Kept::default();
        for n in 0..20_000 {
            kept.add(&gap(n));
        }
        assert!(kept.bytes <= BYTES && kept.bytes > BYTES - 1000);
        let copy = kept.copy();
        assert_eq!(copy.last(), Some(&gap(19_999)));
        let foot = Foot::default();
        let whole = bundle(&copy, &foot, 10 << 20).unwrap();
        let cut = bundle(&copy, &foot, 20_000).unwrap();
        assert!(
            cut.len() <= 20_000 && cut.len() > 5_000,
            "{} of {}",
            cut.len(),
            whole.len()
        );
        assert!(bundle(&copy, &foot, 1).unwrap().len() < 300);
    }
}
