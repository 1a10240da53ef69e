//! Runs sent to a remote, by the git program: credentials, transports and hooks are its own.
//!
//! Knows refs; which runs are sent, and when, is decided above.

use anyhow::Result;

use crate::run::id::RunId;
use crate::store::{Store, output_of};

/// An ssh that asks nothing and notices when the other side has gone.
const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4";

impl Store {
    /// Pushes the run to the same ref of the remote; one that has words we lack is left as it is, which is an error.
    pub fn push_run(&self, remote: &str, id: &RunId) -> Result<()> {
        let name = self.run_ref(id);
        let mut git = self.git();
        // Nobody may be there to answer, and the terminal is the command's that is being recorded.
        let is_set = |name: &str| std::env::var_os(name).is_some();
        if !is_set("GIT_SSH_COMMAND") && !is_set("GIT_SSH") && self.config("core.sshCommand").is_none() {
            git.env("GIT_SSH_COMMAND", SSH);
        }
        git.env("SSH_ASKPASS_REQUIRE", "never");
        // A network that has gone must not hold up the end of a run.
        git.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"]);
        // The hook is for branches: it may run tests for minutes. `--` keeps a remote's name from being an option.
        git.args(["push", "--quiet", "--no-verify", "--", remote, &format!("{name}:{name}")]);
        output_of(&mut git).map(|_| ())
    }
}
