//! Which entries are asked for, resolved once a file through its data hash table and compared by offset afterwards.

use super::chain::Chain;
use super::format::u64_at;
use super::hash::{jenkins64, siphash24};
use super::problem::Fault;
use super::reader::{Data, Layout, Reader};

/// A term `FIELD=value`.
pub(super) type Term = Vec<u8>;

/// How the entries of one file are chosen.
pub(super) enum Choice {
    /// Every entry.
    All,
    /// Entries with an item at one of these sorted offsets.
    Offsets(Vec<u64>),
    /// The hash table is damaged: payloads are compared.
    Values,
}

/// A file's choice, and the chains of the chosen DATA objects where they are few enough to walk instead of all entries.
pub(super) struct Resolved {
    pub(super) choice: Choice,
    pub(super) chains: Option<Vec<Chain>>,
    /// Entries in `chains` by the objects' own count.
    pub(super) expected: u64,
    pub(super) faults: Vec<Fault>,
}

/// Looks every term up. A damaged hash table costs speed, not entries.
pub(super) fn resolve(file: &Layout, reader: &mut Reader, only: Option<&[Term]>) -> Resolved {
    let mut resolved = Resolved {
        choice: Choice::All,
        chains: None,
        expected: 0,
        faults: Vec::new(),
    };
    let Some(only) = only else { return resolved };
    let (mut offsets, mut chains) = (Vec::new(), Vec::new());
    for term in only {
        match find(file, reader, term) {
            Ok(found) => {
                for (offset, data) in found {
                    offsets.push(offset);
                    resolved.expected = resolved.expected.saturating_add(data.n_entries);
                    let chain = Chain::new(data.first_entry, data.array);
                    chains.push((chain, data.n_entries));
                }
            }
            Err(fault) => {
                resolved.faults.push(fault);
                resolved.choice = Choice::Values;
                return resolved;
            }
        }
    }
    offsets.sort_unstable();
    resolved.choice = Choice::Offsets(offsets);
    // Above a sixteenth the entries lie close together, and reading on is faster than jumping.
    if resolved.expected < file.header.n_entries / 16 || chains.is_empty() {
        match chains
            .iter()
            .try_for_each(|(chain, count)| whole(chain.clone(), *count, file, reader))
        {
            Ok(()) => resolved.chains = Some(chains.into_iter().map(|(chain, _)| chain).collect()),
            Err(fault) => resolved.faults.push(fault),
        }
    }
    resolved
}

/// Whether a DATA object's arrays name as many entries as it counts, each once: a lost page is told by nothing else.
fn whole(mut chain: Chain, count: u64, file: &Layout, reader: &mut Reader) -> Result<(), Fault> {
    let array = chain.array();
    let (mut named, mut last) = (0, 0);
    while let Some(offset) = chain.next(file, reader)? {
        if offset <= last {
            return Err(Fault::new(array, "entry offsets of a data object do not grow"));
        }
        (named, last) = (named + 1, offset);
    }
    if named == count {
        Ok(())
    } else {
        Err(Fault::new(
            array,
            format!("data object names {named} of {count} entries"),
        ))
    }
}

/// Every DATA object with this payload: normally one, more where a writer did not find the first.
fn find(file: &Layout, reader: &mut Reader, payload: &[u8]) -> Result<Vec<(u64, Data)>, Fault> {
    let header = &file.header;
    let buckets = header.hash_table_size / 16;
    if buckets == 0 || header.hash_table < header.header_size {
        return Err(Fault::new(104, "no data hash table"));
    }
    let hash = if header.keyed_hash {
        siphash24(&header.file_id, payload)
    } else {
        jenkins64(payload)
    };
    let bucket = header.hash_table.saturating_add((hash % buckets).saturating_mul(16));
    let mut at = u64_at(reader.windows.at(&file.source, bucket, 16)?, 0);
    let mut found = Vec::new();
    while at != 0 {
        let data = reader.data(file, at)?;
        if data.next_hash != 0 && data.next_hash <= at {
            return Err(Fault::new(at, "hash chain points back"));
        }
        // Sixteen are enough for any file that a journald wrote.
        if data.hash == hash && found.len() < 16 && reader.is_payload(file, &data, payload)? {
            found.push((at, data));
            at = found.last().map_or(0, |(_, data)| data.next_hash);
        } else {
            at = data.next_hash;
        }
    }
    Ok(found)
}
