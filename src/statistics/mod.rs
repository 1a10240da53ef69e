//! What numbers say: intervals, tests of significance, which inputs mattered.
//!
//! Plain numbers in and out: knows nothing of runs. Tests of significance, intervals and correlations are checked
//! against SciPy; the commands are beside the tests.

pub mod correlation;
pub mod forest;
pub mod importance;
pub mod ranks;
pub mod shuffle;
pub mod significance;
pub mod summary;
