//! What the user's own AWS program is set up with: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Knows keys that stand there in plain words; programs and single sign-on that give others are not run.

use std::env;
use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;

/// The settings of the profile that the environment names, else of the default one.
pub fn of_user() -> Vec<(AmazonS3ConfigKey, String)> {
    let profile = env::var("AWS_PROFILE").or_else(|_| env::var("AWS_DEFAULT_PROFILE"));
    let profile = profile.unwrap_or_else(|_| "default".to_owned());
    let read = |variable: &str, name: &str| {
        let path = env::var_os(variable).map(PathBuf::from);
        let path =
            path.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".aws").join(name)))?;
        std::fs::read_to_string(path).ok()
    };
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
    let config = read("AWS_CONFIG_FILE", "config").unwrap_or_default();
    let titled = if profile == "default" { profile.clone() } else { format!("profile {profile}") };
    // What stands in the environment counts more.
    let is_open = |key: &str| env::var_os(key).is_none();
    let mut found = section(&config, &titled);
    found.extend(section(&credentials, &profile));
    found.retain(|(key, _)| match key {
        AmazonS3ConfigKey::Region => is_open("AWS_REGION") && is_open("AWS_DEFAULT_REGION"),
        AmazonS3ConfigKey::Endpoint => is_open("AWS_ENDPOINT_URL") && is_open("AWS_ENDPOINT"),
        _ => true,
    });
    found
}

/// The keys of a section that are understood.
fn section(text: &str, title: &str) -> Vec<(AmazonS3ConfigKey, String)> {
    let mut found = Vec::new();
    let mut is_in = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_in = name.trim() == title;
            continue;
        }
        // What is indented belongs to a setting of several lines.
        let is_setting = is_in && !line.starts_with([' ', '\t']) && !trimmed.starts_with(['#', ';']);
        let Some((key, value)) = trimmed.split_once('=').filter(|_| is_setting) else {
            continue;
        };
        let key = match key.trim() {
            "aws_access_key_id" => AmazonS3ConfigKey::AccessKeyId,
            "aws_secret_access_key" => AmazonS3ConfigKey::SecretAccessKey,
            "aws_session_token" => AmazonS3ConfigKey::Token,
            "region" => AmazonS3ConfigKey::Region,
            "endpoint_url" => AmazonS3ConfigKey::Endpoint,
            _ => continue,
        };
        found.push((key, value.trim().to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_one_section() {
        let text = "[default]\naws_access_key_id = A\n# aws_session_token = x\nregion=eu\ns3 =\n  endpoint_url = x\n[other]\naws_access_key_id=B\n";
        let found = section(text, "default");
        assert_eq!(
            found,
            [(AmazonS3ConfigKey::AccessKeyId, "A".to_owned()), (AmazonS3ConfigKey::Region, "eu".to_owned())]
        );
        assert_eq!(section(text, "other").len(), 1);
        assert_eq!(section(text, "profile other").len(), 0);
    }
}
