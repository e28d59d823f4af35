//! How the reader of logs is doing, as the engine's side knows it.

/// It has to give a sign of life within this, microseconds.
const PATIENCE: u64 = 20_000_000;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearing {
    /// When it gave its last sign, microseconds of `CLOCK_MONOTONIC`.
    sign: u64,
    /// There is something for it to read, as far as it has said.
    present: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hears,
    /// It gives no sign, which has been said.
    Silent,
    /// It has ended.
    Deaf,
}

impl Hearing {
    /// Of a reader that was started now.
    pub fn from(now: u64) -> Self {
        Self {
            sign: now,
            present: true,
            state: State::Hears,
        }
    }

    /// A sign of life. Gives whether there is anything to read.
    pub fn heard(&mut self, now: u64, present: Option<bool>) -> bool {
        self.sign = now;
        self.present = present.unwrap_or(self.present);
        self.state = State::Hears;
        self.present
    }

    /// Whether it has given no sign for too long; said once.
    pub fn falls_silent(&mut self, now: u64) -> bool {
        let silent = self.state == State::Hears && now.saturating_sub(self.sign) > PATIENCE;
        if silent {
            self.state = State::Silent;
        }
        silent
    }

    /// Whether it has been said that it gives no sign.
    pub fn is_silent(&self) -> bool {
        self.state == State::Silent
    }

    /// It has ended.
    pub fn ended(&mut self) {
        self.state = State::Deaf;
    }

    /// Whether it has ended.
    pub fn is_deaf(&self) -> bool {
        self.state == State::Deaf
    }
}
