//! Names of files that no other file has.

use std::io;

/// 16 random digits and lower-case letters, as the files of writers are named.
pub fn random_name() -> io::Result<String> {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| io::Error::other(format!("the system gives no random bytes: {error}")))?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}
