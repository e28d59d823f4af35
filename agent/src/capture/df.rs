//! `df` in blocks, with sizes for people, and `df -i` (df(1)).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::source::filesystem::Space;

/// File systems kept.
const ROWS: usize = 4096;

/// What the figures of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Blocks of so many bytes.
    Blocks(u64),
    /// `1.5G`
    Human,
    Inodes,
}

/// Where figures begin in the columns (`df -T` has the type in front), and what they are.
fn header(line: &str) -> Option<(usize, Unit)> {
    let names: Vec<&str> = line.split_whitespace().collect();
    if names.first() != Some(&"Filesystem") || !line.contains("Mounted on") {
        return None;
    }
    let unit = |name: &str| match name {
        "Inodes" => Some(Unit::Inodes),
        "Size" => Some(Unit::Human),
        _ => {
            let (size, _) = name.split_once("-blocks")?;
            match size {
                "1K" => Some(Unit::Blocks(1024)),
                "1M" => Some(Unit::Blocks(1 << 20)),
                _ => size.parse().ok().map(Unit::Blocks),
            }
        }
    };
    names
        .iter()
        .enumerate()
        .skip(1)
        .take(2)
        .find_map(|(i, n)| Some((i, unit(n)?)))
}

/// Whether this text is such a table.
pub(super) fn is_table(text: &str) -> bool {
    text.lines().next().and_then(header).is_some()
}

/// Adds a table's figures to what is known of the mount points.
pub(super) fn add(text: &str, known: &mut BTreeMap<PathBuf, Space>) {
    let Some((first, unit)) = text.lines().next().and_then(header) else {
        return;
    };
    for line in text.lines().skip(1).take(ROWS) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // all, used, free, per cent, the mount point
        let (Some(figures), Some(point)) = (words.get(first..first + 3), words.get(first + 4..)) else {
            continue;
        };
        let figures: Vec<u64> = figures.iter().filter_map(|w| figure(w, unit)).collect();
        let ([all, used, free], false) = (&figures[..], point.is_empty()) else {
            continue;
        };
        let space = known.entry(PathBuf::from(point.join(" "))).or_default();
        if unit == Unit::Inodes {
            (space.inodes, space.inodes_free) = (*all, *free);
        } else {
            (space.used, space.available) = (*used, *free);
        }
    }
}

fn figure(word: &str, unit: Unit) -> Option<u64> {
    match unit {
        Unit::Inodes => word.parse().ok(),
        Unit::Blocks(size) => word.parse::<u64>().ok()?.checked_mul(size),
        Unit::Human => {
            let (digits, power) = match word.chars().last()? {
                'K' => (word.get(..word.len() - 1)?, 10),
                'M' => (word.get(..word.len() - 1)?, 20),
                'G' => (word.get(..word.len() - 1)?, 30),
                'T' => (word.get(..word.len() - 1)?, 40),
                'P' => (word.get(..word.len() - 1)?, 50),
                _ => (word, 0),
            };
            let number: f64 = digits.parse().ok().filter(|n: &f64| *n >= 0.0)?;
            Some((number * f64::from(1_u32 << (power % 30)) * if power >= 30 { 1_073_741_824.0 } else { 1.0 }) as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_inodes_and_sizes_for_people() {
        let mut known = BTreeMap::new();
        add(
            "Filesystem     1024-blocks   Used Available Capacity Mounted on\n/dev/vda           8154588 860048   6858728      12% /\n",
            &mut known,
        );
        add(
            "Filesystem     Inodes IUsed  IFree IUse% Mounted on\n/dev/vda       524288 13065 511223    3% /\n-  - - - - /x\n",
            &mut known,
        );
        let root = known[&PathBuf::from("/")];
        assert_eq!((root.used, root.available), (860_048 * 1024, 6_858_728 * 1024));
        assert_eq!((root.inodes, root.inodes_free), (524_288, 511_223));
        add(
            "Filesystem     Type   Size  Used Avail Use% Mounted on\n/dev/sda1      ext4   1.5G  1.0G     0 100% /var lib\n",
            &mut known,
        );
        let var = known[&PathBuf::from("/var lib")];
        assert_eq!((var.used, var.available), (1 << 30, 0));
    }

    #[test]
    fn another_table_is_none() {
        assert!(!is_table("Filesystem Size\n"));
        assert!(!is_table("NAME Size Mounted on\n"));
    }
}
