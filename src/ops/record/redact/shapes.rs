//! Secrets that show what they are wherever they stand: tokens by how they begin, credentials in addresses, headers, keys.
//!
//! Knows patterns; nothing of names. A new kind of token is a row.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::ops::record::redact::{REDACTED, built_in, replace};

/// Hides all that shows what it is.
pub fn hide(text: &mut Cow<'_, str>) {
    replace(text, &TOKENS, |_| REDACTED.to_owned());
    replace(text, &AFTER, |found| {
        let before = found.iter().skip(1).flatten().next().map_or("", |before| before.as_str());
        format!("{before}{REDACTED}")
    });
    if text.contains("://") {
        replace(text, &ADDRESSES, |found| format!("{}{}:{REDACTED}@", &found[1], &found[2]));
        replace(text, &NAMELESS, |found| match found[2].bytes().any(|byte| byte.is_ascii_digit()) {
            true => format!("{}{REDACTED}@", &found[1]),
            false => found[0].to_owned(),
        });
    }
}

/// Tokens that show by their beginnings what they are, JSON web tokens and private keys.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    const TOKENS: &[&str] = &[
        r"gh[pousr]_[A-Za-z0-9]{16,}",
        r"github_pat_[A-Za-z0-9_]{16,}",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_-]{16,}",
        r"hf_[A-Za-z0-9]{16,}",
        r"api_org_[A-Za-z0-9]{16,}",
        r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
        r"sk-(?:ant|proj|svcacct|admin|or|lf|live|test|None)-[A-Za-z0-9_-]{16,}",
        r"[sr]k-[A-Za-z0-9]{16,}",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        r"whsec_[A-Za-z0-9]{16,}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
        r"AIza[A-Za-z0-9_-]{30,}",
        r"ya29\.[A-Za-z0-9_-]{20,}",
        r"GOCSPX-[A-Za-z0-9_-]{20,}",
        r"npm_[A-Za-z0-9]{30,}",
        r"pypi-[A-Za-z0-9_-]{40,}",
        r"dckr_pat_[A-Za-z0-9_-]{20,}",
        r"dop_v1_[a-f0-9]{40,}",
        r"dapi[a-f0-9]{32}",
        r"r8_[A-Za-z0-9]{30,}",
        r"gsk_[A-Za-z0-9]{20,}",
        r"xai-[A-Za-z0-9]{20,}",
        r"pplx-[A-Za-z0-9]{20,}",
        r"fw_[A-Za-z0-9]{20,}",
        r"KGAT_[A-Za-z0-9]{20,}",
        r"lin_api_[A-Za-z0-9]{20,}",
        r"ntn_[A-Za-z0-9]{20,}",
        r"secret_[A-Za-z0-9]{32,}",
        r"sbp_[a-f0-9]{40}",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        r"hv[sbr]\.[A-Za-z0-9_-]{20,}",
        r"dp\.[a-z]{2,3}\.[A-Za-z0-9]{30,}",
        r"glsa_[A-Za-z0-9_]{32,}",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"SK[0-9a-f]{32}",
        r"pul-[a-f0-9]{40}",
        r"wandb_v1_[A-Za-z0-9_]{20,}",
        r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
        r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}",
        // JSON in base64 that begins with "api_": what Neptune gives out.
        r"eyJhcGlf[A-Za-z0-9+/=_-]{20,}",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ];
    let keys = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)";
    built_in(&format!(r"(?-u:\b)(?:{})|{keys}", TOKENS.join("|")))
});

/// What follows a text that is kept: headers, signatures in addresses, addresses that are secrets themselves, keys of
/// Weights & Biases, which look like commits.
static AFTER: LazyLock<Regex> = LazyLock::new(|| {
    const AFTER: &[&str] = &[
        r#"((?i:authorization)["']?[ \t]*[:=][ \t]*["']?(?:[A-Za-z0-9-]+[ \t]+)?)[^\r\n"']+"#,
        r#"((?i:\bcookie)["']?:[ \t]*["']?)[^\r\n"']+"#,
        r#"((?i:bearer)[ \t]+)[^ \t\r\n"']{8,}"#,
        r#"([?&](?i:sig|signature|key|pwd|pass|auth|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|awsaccesskeyid)=)[^&\s"'#]+"#,
        r#"(https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/|[a-z0-9.-]*\.webhook\.office\.com/webhookb2/|api\.telegram\.org/bot))[^\s"']+"#,
        r#"((?i:wandb)[^\n]{0,20}?(?i:key|login|token)[^\n]{0,14}?\b)[0-9a-f]{40}\b"#,
        r#"(login\([^)\n]{0,80}?\bkey[ ]*=[ ]*["'])[^"'\n]+"#,
    ];
    built_in(&AFTER.join("|"))
});

/// `scheme://user:password@`.
static ADDRESSES: LazyLock<Regex> =
    LazyLock::new(|| built_in(r#"([A-Za-z][A-Za-z0-9+.-]*://)([^ \t\r\n/@:"']*):([^ \t\r\n/"']+)@"#));

/// `https://token@`: a name that is no person's.
static NAMELESS: LazyLock<Regex> =
    LazyLock::new(|| built_in(r#"([A-Za-z][A-Za-z0-9+.-]*://)([^ \t\r\n/@:"']{16,})@"#));
