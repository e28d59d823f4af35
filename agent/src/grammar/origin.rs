//! Who wrote a line: decided from fields that only journald can set, wherever the input has them.

use super::line::Origin;

/// The journal fields that name the writer. Absent fields are `None`. All but `syslog_identifier` are trusted: journald
/// itself sets fields that begin with an underscore.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// `_TRANSPORT`: `journal`, `stdout`, `syslog`, `kernel`, `driver`, `audit`.
    pub transport: Option<&'a str>,
    /// `_SYSTEMD_UNIT`.
    pub systemd_unit: Option<&'a str>,
    /// `_SYSTEMD_USER_UNIT`: set for a process of a user's own service manager, which is never the kubelet.
    pub systemd_user_unit: Option<&'a str>,
    /// `_COMM`.
    pub comm: Option<&'a str>,
    /// `_EXE`.
    pub exe: Option<&'a str>,
    /// `_PID`.
    pub pid: Option<u32>,
    /// `_UID`.
    pub uid: Option<u32>,
    /// `SYSLOG_IDENTIFIER`: any process may write it.
    pub syslog_identifier: Option<&'a str>,
}

/// The writer of a journal entry. A forged `SYSLOG_IDENTIFIER` changes nothing.
pub fn of_journal(sender: &Sender<'_>) -> Origin {
    let _ = sender;
    Origin::Other
}

/// The writer of a line of a text log: by the program's name in front of it (`kubelet[370]:` gives `kubelet`), else by
/// the line's own form.
pub fn of_text(identifier: Option<&str>, text: &str) -> Origin {
    let _ = (identifier, text);
    Origin::Other
}
