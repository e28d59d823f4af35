//! One order of the entries of all files, each entry once, and patience with those that cannot be read.

use super::account::gap;
use super::cursor::Mark;
use super::follow::{File, Follower};
use crate::clock::Now;
use crate::input::Intake;
use crate::model::input::Input;

/// Microseconds for which an entry that cannot be read is waited for.
const PATIENCE: u64 = 2_000_000;
/// Unreadable entries one after the other behind which a file is given up.
const BROKEN: u32 = 64;

impl Follower {
    /// The file whose next entry is the first; copies of it in other files are passed over.
    pub(super) fn first(&mut self, now: Now) -> Result<Option<usize>, Blocked> {
        loop {
            let Some(best) = self.best(now)? else { return Ok(None) };
            let Some(head) = self.files[best].tail.head() else {
                return Ok(None);
            };
            for index in (0..self.files.len()).filter(|&index| index != best) {
                if self.files[index].tail.is_copy_of(&self.files[best].tail) {
                    self.files[index].pass(head.seqnum, head.realtime);
                }
            }
            let root = self.files[best].root;
            let copied = self
                .marks
                .iter()
                .enumerate()
                .any(|(other, mark)| other != root && mark.as_ref().is_some_and(|mark| mark.covers(&head)));
            if !copied {
                return Ok(Some(best));
            }
            self.files[best].pass(head.seqnum, head.realtime);
        }
    }

    fn best(&mut self, now: Now) -> Result<Option<usize>, Blocked> {
        let mut best: Option<usize> = None;
        let mut index = 0;
        while index < self.files.len() {
            let file = &mut self.files[index];
            match self.tails.look(&mut file.tail) {
                Ok(true) => {
                    if best.is_none_or(|best| self.files[index].tail.is_before(&self.files[best].tail)) {
                        best = Some(index);
                    }
                    index += 1;
                }
                Ok(false) => index += 1,
                Err(problem) => {
                    // Having waited for one, the entries behind it are there as well or never will be.
                    if self.files[index].broken == 0 {
                        self.wait_for(index, now)?;
                    }
                    let file = &mut self.files[index];
                    file.stuck = None;
                    file.broken += 1;
                    file.fault.get_or_insert_with(|| problem.to_string());
                    if file.broken > BROKEN || !file.tail.pass() {
                        self.give_up(index, &problem.to_string());
                        best = None;
                        index = 0;
                    }
                }
            }
        }
        Ok(best)
    }

    pub(super) fn hand_out(
        &mut self,
        index: usize,
        now: Now,
        intake: &mut Intake,
        sink: &mut dyn FnMut(Input),
    ) -> Result<(), Blocked> {
        self.tell_broken(index);
        let file = &self.files[index];
        let problem = match self.tails.read(&file.tail, false) {
            Ok(entry) => {
                for gap in self.untold.drain(..) {
                    sink(Input::Gap(gap));
                }
                intake.entry(&entry, sink);
                None
            }
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            self.flawed(index, now, &problem.to_string())?;
            let file = &self.files[index];
            if let Ok(entry) = self.tails.read(&file.tail, true) {
                intake.entry(&entry, sink);
            }
        }
        self.passed(index);
        Ok(())
    }

    /// A field cannot be read, and perhaps all entries share it: it is waited for once a file and told once a second.
    fn flawed(&mut self, index: usize, now: Now, problem: &str) -> Result<(), Blocked> {
        if self.files[index].flaw.is_none() {
            self.wait_for(index, now)?;
        }
        let file = &mut self.files[index];
        let at = file.tail.head().map_or(0, |head| head.realtime);
        let (why, told) = file
            .flaw
            .get_or_insert_with(|| (format!("a field could not be read: {problem}"), 0));
        if at.saturating_sub(*told) >= 1_000_000 {
            *told = at;
            let told = gap(at, at, why.clone(), None);
            self.tell(told, 0);
        }
        Ok(())
    }

    /// An entry was handed out.
    fn passed(&mut self, index: usize) {
        let file = &mut self.files[index];
        let Some(head) = file.tail.head() else { return };
        file.pass(head.seqnum, head.realtime);
        file.stuck = None;
        match &mut self.marks[file.root] {
            Some(mark) => mark.advance(&head),
            mark => *mark = Some(Mark::at(&head)),
        }
    }

    /// Tells of the entries that were passed over unread, once it is known how many there are.
    pub(super) fn tell_broken(&mut self, index: usize) {
        let file = &mut self.files[index];
        let Some(fault) = file.fault.take() else { return };
        let broken = std::mem::take(&mut file.broken);
        let next = file.tail.head().map(|head| head.realtime);
        let to = next.unwrap_or(file.tail.header().tail_realtime);
        let told = gap(
            file.realtime,
            to,
            format!("{broken} entries could not be read: {fault}"),
            None,
        );
        self.tell(told, u64::from(broken));
    }

    /// An entry could not be read: reads it again, for a while.
    fn wait_for(&mut self, index: usize, now: Now) -> Result<(), Blocked> {
        let file = &mut self.files[index];
        let first = file.stuck.is_none();
        let since = *file.stuck.get_or_insert(now.monotonic);
        if !first && self.is_over(index, since, now) {
            return Ok(());
        }
        self.tails.again(&mut self.files[index].tail);
        Err(Blocked)
    }

    fn is_over(&self, index: usize, since: u64, now: Now) -> bool {
        self.files[index].archived || now.monotonic.saturating_sub(since) >= PATIENCE
    }
}

impl File {
    fn pass(&mut self, seqnum: u64, realtime: u64) {
        self.tail.pass();
        (self.seqnum, self.realtime) = (seqnum, realtime);
    }
}

/// An entry that cannot be read yet holds up those behind it.
pub(super) struct Blocked;

/// Whether it has been waited for since `stuck` for long enough.
pub(super) fn waited(stuck: &mut Option<u64>, now: Now) -> bool {
    let since = *stuck.get_or_insert(now.monotonic);
    now.monotonic.saturating_sub(since) >= PATIENCE
}
