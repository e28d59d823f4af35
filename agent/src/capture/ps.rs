//! `ps` in any of its forms that print process id, state and command under a header (ps(1)).

use crate::grammar::fact::{Fact, Kind};
use crate::source::look::Reading;

/// Processes kept.
const TASKS: usize = 65_536;

/// A process as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) pid: u32,
    /// `R`, `S`, `D`, `T`, `Z`, `I` …
    state: char,
    /// The kernel function in which it sleeps, where that is a column.
    wchan: Option<String>,
    /// The program's name.
    pub(super) name: String,
}

/// The columns' places; `None` where this is no such listing.
fn columns(header: &str) -> Option<(usize, usize, Option<usize>, usize)> {
    let names: Vec<&str> = header.split_whitespace().collect();
    let place = |wanted: &[&str]| names.iter().position(|n| wanted.contains(n));
    let command = place(&["COMMAND", "CMD"])?;
    // What follows the first word of the command would be counted as columns.
    (command + 1 == names.len()).then_some(())?;
    Some((place(&["PID"])?, place(&["STAT", "S"])?, place(&["WCHAN"]), command))
}

/// Whether this text is such a listing.
pub(super) fn is_listing(text: &str) -> bool {
    text.lines().next().and_then(columns).is_some()
}

/// The processes; `None` where it is not the whole node's listing, which has process 1.
pub(super) fn parse(text: &str) -> Option<Vec<Task>> {
    let (pid, state, wchan, command) = columns(text.lines().next()?)?;
    let task = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.get(command)?.trim_end_matches(':');
        Some(Task {
            pid: words.get(pid)?.parse().ok()?,
            state: words.get(state)?.chars().next()?,
            wchan: wchan
                .and_then(|i| words.get(i))
                .filter(|w| **w != "-")
                .map(|w| (*w).to_owned()),
            name: name.rsplit('/').next()?.to_owned(),
        })
    };
    let tasks: Vec<Task> = text.lines().skip(1).take(TASKS).filter_map(task).collect();
    tasks.iter().any(|t| t.pid == 1).then_some(tasks)
}

/// What the listing says of the process of a role: the one that the unit names, else the one of that name. Nothing is said
/// where it waits uninterruptibly: every process does for a moment, and one listing is no two.
pub(super) fn reading(tasks: &[Task], role: &'static str, pid: Option<u32>, name: &str) -> Option<Reading> {
    let task = tasks
        .iter()
        .find(|t| Some(t.pid) == pid)
        .or_else(|| tasks.iter().find(|t| t.name == name));
    let fact = Fact::new(Kind::Process).with("role", role);
    let Some(task) = task else {
        return Some(Reading::new(
            format!("{name}  no process in the listing"),
            fact.with("state", "absent"),
        ));
    };
    let (state, words) = match task.state {
        'T' | 't' => ("stopped", "stopped"),
        'Z' | 'X' => ("zombie", "a zombie"),
        'D' => return None,
        _ => ("running", "runs"),
    };
    let mut fact = fact.with("state", state).with_int("pid", i64::from(task.pid));
    let mut text = format!("{} (pid {})  {words} in the listing", task.name, task.pid);
    if let Some(wchan) = &task.wchan {
        text.push_str(", in ");
        text.push_str(wchan);
        fact = fact.with_text("wchan", wchan.clone());
    }
    Some(Reading::new(text, fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "    PID    PPID STAT WCHAN                COMMAND\n      1       0 Ss   do_epoll_wait        systemd\n    \
        381       1 Tsl  do_signal_stop       kubelet\n    400       1 Dsl  -                    containerd\n";
    const AUX: &str = "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n\
        root           1  0.0  0.1 168260 11808 ?        Ss   Nov22   0:07 /sbin/init splash\n\
        root         812  1.0  2.1 168260 11808 ?        Ssl  Nov22   0:07 /usr/bin/kubelet --config=/x\n";

    #[test]
    fn a_stopped_kubelet_and_one_that_runs() {
        let said = |text: &str, pid| reading(&parse(text).unwrap(), "kubelet", pid, "kubelet").unwrap();
        let stopped = said(OWN, Some(381));
        assert_eq!(
            stopped.text,
            "kubelet (pid 381)  stopped in the listing, in do_signal_stop"
        );
        assert_eq!(stopped.facts[0].text("state"), Some("stopped"));
        assert_eq!(said(AUX, None).text, "kubelet (pid 812)  runs in the listing");
    }

    #[test]
    fn none_is_none_and_one_look_at_a_wait_says_nothing() {
        let tasks = parse(OWN).unwrap();
        assert_eq!(reading(&tasks, "runtime", None, "containerd"), None);
        let crio = reading(&tasks, "runtime", None, "crio").unwrap();
        assert_eq!(crio.facts[0].text("state"), Some("absent"));
    }

    #[test]
    fn what_is_not_the_whole_node_is_not_taken() {
        assert_eq!(parse("PID STAT COMMAND\n 77 S bash\n"), None);
        assert!(!is_listing("PID COMMAND STAT\n"));
        assert!(is_listing(AUX));
    }
}
