//! Exit status of the program.

/// Exit status: 0 done, 1 failed, 2 bad input, 130 stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const FAILURE: Self = Self(1);
}

impl From<u8> for Exit {
    fn from(code: u8) -> Self {
        Self(code)
    }
}
