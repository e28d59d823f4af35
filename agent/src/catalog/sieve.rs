//! Whether any of a few hundred literals is in a line, most of which have none. Only every few bytes a short block of the
//! line is looked up in a table of the literals' blocks; the look-ups do not wait for each other as an automaton's do.

use std::collections::HashMap;

/// Bits of the hash of a block.
const BITS: u32 = 16;

/// Words of routine lines. A window with as little of them as a literal allows saves vain comparisons; nothing else
/// depends on them.
const ROUTINE: &str = "operationexecutor.verifycontrollerattachedvolume mountvolume.setup succeeded for volume \
     kube-api-access kubernetes.io/projected configmap secret uniquename default kube-system reconciler_common.go \
     syncloop (pleg): event for pod update source=api containerstarted containerdied removecontainer scope.go \
     observed pod startup duration creationtimestamp operation_generator.go kubelet.go level=info \
     createcontainer within sandbox for container metadata attempt returns successfully startcontainer runpodsandbox \
     shim disconnected namespace=k8s.io imageupdate event name registry labels io.cri-containerd.image managed \
     run-containerd-runc-k8s.io.mount: deactivated successfully. starting started stopped session of user root \
     cached remove cleaning up connection closed by port [preauth] entered forwarding state device link becomes ready";

/// A set of literals, ASCII case ignored.
#[derive(Debug)]
pub(super) struct Sieve {
    long: Group<4, 5>,
    /// The few that are shorter than the others' window.
    short: Group<3, 3>,
}

/// Literals of which a window of `BLOCK + STEP - 1` bytes is searched: whatever the place of a literal in a line, every
/// `STEP`th block of the line falls once into its window.
#[derive(Debug)]
struct Group<const BLOCK: usize, const STEP: usize> {
    /// One bit a hash.
    known: Vec<u64>,
    /// By hash: where the block is in a literal. Sorted.
    places: Vec<(u32, usize, Box<[u8]>)>,
}

impl Sieve {
    /// `None` where a literal is too short for this search.
    pub(super) fn new<'a>(literals: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (long, short): (Vec<&str>, Vec<&str>) =
            literals.into_iter().partition(|l| l.len() >= Group::<4, 5>::WINDOW);
        let searched = short.iter().all(|l| l.len() >= Group::<3, 3>::WINDOW);
        searched.then(|| Self {
            long: Group::new(&long),
            short: Group::new(&short),
        })
    }

    /// Whether one of the literals is in `text`.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.long.is_match(text.as_bytes()) || self.short.is_match(text.as_bytes())
    }
}

impl<const BLOCK: usize, const STEP: usize> Group<BLOCK, STEP> {
    const WINDOW: usize = BLOCK + STEP - 1;

    fn new(literals: &[&str]) -> Self {
        let mut known = vec![0; 1 << (BITS - 6)];
        let mut places = Vec::new();
        // What many wordings have in common, routine lines have as well ("container", "failed to"): of each literal the
        // window is taken that the others share least.
        let mut common: HashMap<u32, usize> = HashMap::new();
        for block in literals.iter().flat_map(|l| l.as_bytes().array_windows::<BLOCK>()) {
            *common.entry(hash(*block)).or_default() += 1;
        }
        for block in ROUTINE.as_bytes().array_windows::<BLOCK>() {
            *common.entry(hash(*block)).or_default() += 16;
        }
        for literal in literals {
            let literal = literal.as_bytes();
            let cost = |from: usize| -> usize {
                let blocks = literal[from..from + Self::WINDOW].array_windows::<BLOCK>();
                blocks.map(|block| common[&hash(*block)]).sum()
            };
            let from = (0..=literal.len() - Self::WINDOW)
                .rev()
                .min_by_key(|from| cost(*from))
                .unwrap_or(0);
            for at in from..from + STEP {
                let mut block = [0; BLOCK];
                block.copy_from_slice(&literal[at..at + BLOCK]);
                let hash = hash(block);
                known[(hash >> 6) as usize] |= 1 << (hash & 63);
                places.push((hash, at, literal.into()));
            }
        }
        places.sort_unstable();
        Self { known, places }
    }

    fn is_match(&self, text: &[u8]) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let mut at = 0;
        while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            let hash = hash(*block);
            if self.known[(hash >> 6) as usize] >> (hash & 63) & 1 != 0 && self.is_at(hash, text, at) {
                return true;
            }
            at += STEP;
        }
        false
    }

    #[cold]
    fn is_at(&self, hash: u32, text: &[u8], at: usize) -> bool {
        let from = self.places.partition_point(|(h, ..)| *h < hash);
        self.places[from..]
            .iter()
            .take_while(|(h, ..)| *h == hash)
            .any(|(_, offset, literal)| {
                at.checked_sub(*offset)
                    .and_then(|start| text.get(start..start + literal.len()))
                    .is_some_and(|piece| piece.eq_ignore_ascii_case(literal))
            })
    }
}

/// Letters of both cases hash alike.
fn hash<const BLOCK: usize>(block: [u8; BLOCK]) -> u32 {
    let mut word = [0; 4];
    word[..BLOCK].copy_from_slice(&block);
    (u32::from_le_bytes(word) | 0x2020_2020).wrapping_mul(0x9e37_79b1) >> (32 - BITS)
}

#[cfg(test)]
mod tests {
    use super::Sieve;

    #[test]
    fn agrees_with_plain_search() {
        let literals = [
            "timeout",
            "mtu 1",
            "no space left on device",
            "[::1]:53",
            "Connection Refused",
            "aaaaaaaab",
        ];
        let sieve = Sieve::new(literals).unwrap();
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..20_000 {
            let mut text: String = (0..random.usize(..60))
                .map(|_| *random.choice(b"a mtu1[:]5 TimeOut\xe9b").unwrap_or(&b' ') as char)
                .collect();
            if round % 2 == 0 {
                let literal = random.choice(literals).unwrap_or_default();
                let from = random.usize(..2);
                text.insert_str(
                    text.char_indices().nth(random.usize(..8)).map_or(0, |(at, _)| at),
                    &literal[from..],
                );
            }
            let lower = text.to_ascii_lowercase();
            let expected = literals.iter().any(|l| lower.contains(&l.to_ascii_lowercase()));
            assert_eq!(sieve.is_match(&text), expected, "{text}");
        }
        assert!(Sieve::new(["ab"]).is_none());
        assert!(!Sieve::new([]).unwrap().is_match("anything"));
    }
}
