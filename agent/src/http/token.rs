//! The bearer token that `/metrics` asks for (RFC 6750 §2.1).

use std::io::Read;
use std::path::PathBuf;

use subtle::ConstantTimeEq;

use crate::host::{Host, Unreadable};

/// A token file is not longer than this, bytes.
const LONGEST: u64 = 4096;

/// Whether a request may see the numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It may.
    Granted,
    /// It has no token or another one.
    Refused,
    /// Nobody may as long as the file has no token: why.
    Closed(String),
}

/// Looks the token up in its file, which is read anew at each request: who replaces it tells nobody.
pub(super) fn check(file: &PathBuf, authorization: Option<&[u8]>) -> Pass {
    let wanted = match read(file) {
        Ok(token) if token.trim_ascii().is_empty() => {
            return Pass::Closed(format!("{}: no token in it", file.display()));
        }
        Ok(token) => token,
        Err(why) => return Pass::Closed(why.to_string()),
    };
    let shown = authorization.and_then(bearer).unwrap_or_default();
    // The time that it takes tells the token's length at most.
    if bool::from(shown.ct_eq(wanted.trim_ascii())) {
        Pass::Granted
    } else {
        Pass::Refused
    }
}

fn read(file: &PathBuf) -> Result<zeroize::Zeroizing<Vec<u8>>, Unreadable> {
    let mut token = zeroize::Zeroizing::new(Vec::new());
    let read = Host::at("/").open(file)?.take(LONGEST).read_to_end(&mut token);
    read.map(|_| token).map_err(|source| Unreadable::Other {
        path: file.clone(),
        source,
    })
}

/// What follows `Bearer`; the scheme's name is of any case (RFC 9110 §11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_the_token_of_the_file_passes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        assert!(
            matches!(check(&path, Some(b"Bearer ")), Pass::Closed(_)),
            "an empty file"
        );
        file.write_all(b"s3cret\n").unwrap();
        assert_eq!(check(&path, Some(b"Bearer s3cret")), Pass::Granted);
        assert_eq!(check(&path, Some(b"bearer  s3cret")), Pass::Granted);
        for wrong in [
            None,
            Some(&b"Bearer s3cre"[..]),
            Some(b"Bearer s3cret2"),
            Some(b"Basic s3cret"),
            Some(b"s3cret"),
            Some(b""),
        ] {
            assert_eq!(check(&path, wrong), Pass::Refused, "{wrong:?}");
        }
        drop(file);
        let Pass::Closed(why) = check(&path, Some(b"Bearer s3cret")) else {
            panic!("a missing file closes");
        };
        assert!(why.contains("no such file"), "{why}");
    }
}
