//! OpenSSH's server on the loopback, with keys made for the test.

use std::fs;

use crate::sharing::remotes::{Server, free_port, program};
use crate::support::Repo;

/// A server that ends with the test.
pub struct Sshd {
    /// The `ssh` that is let in.
    pub command: String,
    /// `user@127.0.0.1:port`.
    pub host: String,
    _server: Server,
}

impl Sshd {
    /// Starts one that finds programs in these folders; none, where there is no such server.
    pub fn start(repo: &Repo, path: &str) -> Option<Self> {
        let (sshd, keygen) = (program("sshd")?, program("ssh-keygen")?);
        let folder = repo.root().join("ssh");
        fs::create_dir(&folder).unwrap();
        let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        for key in ["host", "user"] {
            let mut keygen = repo.command(keygen.to_str().unwrap());
            assert!(
                keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status().unwrap().success()
            );
        }
        let port = free_port();
        let config = [
            format!("Port {port}\nListenAddress 127.0.0.1\n"),
            format!("HostKey {}\nAuthorizedKeysFile {}\n", at("host"), at("user.pub")),
            // The keys lie in a temporary folder, which anybody may write to.
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n".to_owned(),
            // The git that is tested, not the machine's.
            format!("SetEnv PATH={path}\n"),
        ];
        fs::write(at("config"), config.concat()).unwrap();
        // Where Debian's server confines itself; its package's own service would make it.
        let _ = fs::create_dir_all("/run/sshd");
        let mut command = repo.command(sshd.to_str().unwrap());
        let server = Server::start(command.args(["-D", "-e", "-f", &at("config")]), port)?;
        let options = "-F none -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=accept-new";
        let command = format!("ssh {options} -i {} -o UserKnownHostsFile={}", at("user"), at("known"));
        let user = String::from_utf8(repo.command("id").arg("-un").output().unwrap().stdout).unwrap();
        Some(Self { command, host: format!("{}@127.0.0.1:{port}", user.trim()), _server: server })
    }
}
