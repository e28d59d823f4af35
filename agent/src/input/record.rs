//! An entry of any kind of log, before it is understood: borrowed, so that a routine line costs no allocation.

use crate::grammar::origin::Sender;

/// One entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// Wall time, microseconds since the Unix epoch.
    pub wall: Option<i64>,
    /// Boot-relative time, microseconds.
    pub monotonic: Option<i64>,
    /// The boot's id, 32 hex digits.
    pub boot_id: Option<&'a str>,
    /// The message.
    pub text: &'a str,
    /// The fields that name the writer.
    pub sender: Sender<'a>,
    /// The entry comes from a journal, so that `sender` holds what journald itself set.
    pub trusted: bool,
    /// `_HOSTNAME`.
    pub hostname: Option<&'a str>,
    /// `MESSAGE_ID` and the other words of systemd; used only where a trusted sender wrote them.
    pub said: Said<'a>,
}

/// What PID 1 says in fields of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// `MESSAGE_ID`.
    pub message_id: Option<&'a str>,
    /// `UNIT`.
    pub unit: Option<&'a str>,
    /// `JOB_TYPE`.
    pub job_type: Option<&'a str>,
    /// `JOB_RESULT`.
    pub job_result: Option<&'a str>,
    /// `EXIT_CODE`.
    pub exit_code: Option<&'a str>,
    /// `EXIT_STATUS`.
    pub exit_status: Option<&'a str>,
    /// `UNIT_RESULT`.
    pub unit_result: Option<&'a str>,
    /// `N_RESTARTS`.
    pub n_restarts: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Sets the field of this name, if it is one that counts.
    pub fn set(&mut self, name: &str, value: &'a str) {
        let sender = &mut self.sender;
        let said = &mut self.said;
        match name {
            "MESSAGE" => self.text = value,
            "_BOOT_ID" => self.boot_id = Some(value),
            "_HOSTNAME" => self.hostname = Some(value),
            "_TRANSPORT" => sender.transport = Some(value),
            "_SYSTEMD_UNIT" => sender.systemd_unit = Some(value),
            "_SYSTEMD_USER_UNIT" => sender.systemd_user_unit = Some(value),
            "_COMM" => sender.comm = Some(value),
            "_EXE" => sender.exe = Some(value),
            "_PID" => sender.pid = value.parse().ok(),
            "_UID" => sender.uid = value.parse().ok(),
            "SYSLOG_IDENTIFIER" => sender.syslog_identifier = Some(value),
            "MESSAGE_ID" => said.message_id = Some(value),
            "UNIT" => said.unit = Some(value),
            "JOB_TYPE" => said.job_type = Some(value),
            "JOB_RESULT" => said.job_result = Some(value),
            "EXIT_CODE" => said.exit_code = Some(value),
            "EXIT_STATUS" => said.exit_status = Some(value),
            "UNIT_RESULT" => said.unit_result = Some(value),
            "N_RESTARTS" => said.n_restarts = Some(value),
            _ => {}
        }
    }

    /// The fields that [`Record::set`] knows.
    pub const FIELDS: &'static [&'static str] = &[
        "MESSAGE", "_BOOT_ID", "_HOSTNAME", "_TRANSPORT", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_COMM", "_EXE", "_PID",
        "_UID", "SYSLOG_IDENTIFIER", "MESSAGE_ID", "UNIT", "JOB_TYPE", "JOB_RESULT", "EXIT_CODE", "EXIT_STATUS",
        "UNIT_RESULT", "N_RESTARTS",
    ];
}
