// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is to be said of a package file's signature, and what to do.

use kmp_core::printable;
use librpm_rt::{Signer, Trust, Verified};
use rpm_meta::openpgp::{Issuer, Key, groups};

use crate::date::day;

/// The word for it, which does not change.
pub fn word(trust: Trust) -> &'static str {
    match trust {
        Trust::Good => "good",
        Trust::UnknownKey => "unknown-key",
        Trust::NotTrusted => "not-trusted",
        Trust::Unsigned => "unsigned",
        Trust::Uncovered => "uncovered",
        Trust::Corrupt => "corrupt",
    }
}

/// All words, for schemas.
pub const WORDS: &[&str] = &["good", "unknown-key", "not-trusted", "unsigned", "uncovered", "corrupt"];

/// Who signed it: the key's user ID, where rpm has the key, and its fingerprint.
pub fn signer(signer: &Signer) -> String {
    match (&signer.key, &signer.issuer) {
        (Some(key), _) => format!("{} with the key {}", user_id(key), groups(&key.fingerprint)),
        (None, Some(Issuer::Fingerprint(digits))) => format!("the key {}", groups(digits)),
        (None, Some(Issuer::Id(digits))) => {
            format!("a key of which only the ID is known, {}", groups(digits))
        }
        (None, None) => "a key that it does not name".into(),
    }
}

/// Whose a key is, by the first of its names.
pub fn user_id(key: &Key) -> String {
    key.user_ids.first().map_or_else(|| "somebody without a name".into(), |name| printable(name.as_ref()))
}

/// What is said of a package file, for people; the second sentence is what to do.
pub fn sentence(verified: &Verified) -> String {
    let signers: Vec<String> = verified.signers.iter().map(signer).collect();
    let by = signers.join(", and by ");
    let why = verified.why.as_deref().map(|why| format!(": {}", printable(why.as_ref()))).unwrap_or_default();
    match verified.trust {
        Trust::Good => {
            let now_expired = verified.signers.iter().find_map(|signer| signer.key.as_ref()?.expires);
            let until =
                now_expired.map(|end| format!("; the key is valid until {}", day(end))).unwrap_or_default();
            format!("signed by {by}, which rpm trusts{until}")
        }
        Trust::UnknownKey => format!(
            "signed by {by}, which rpm does not know here, so that anybody may have made it. Compare the key with the one that \
             its provider publishes, digit by digit, and import it: kmp key import FILE"
        ),
        Trust::NotTrusted => format!(
            "signed by {by}, which is not trusted{why}. Ask its provider for a package that is signed with a valid key"
        ),
        Trust::Unsigned => {
            "not signed, so that anybody may have made it. Ask its provider for a signed package; rpm and \
                            package managers take this one only where they are configured to"
                .into()
        }
        Trust::Uncovered => format!(
            "signed by {by}, but by an rpm before 4.14, whose signature cannot be checked against its contents here. Check \
             it with: rpm --checksig"
        ),
        Trust::Corrupt => {
            format!(
                "not what it was when it was made{why}. Do not install it; fetch it again, from its provider"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_has_all_digits_and_no_control_characters() {
        let key = Key {
            fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567".into(),
            created: 0,
            expires: Some(86_400),
            is_revoked: false,
            user_ids: vec!["A\x1b[2J <a@b>".into()],
            subkeys: Vec::new(),
        };
        let issuer = Some(Issuer::Fingerprint(key.fingerprint.clone()));
        let known = Signer { issuer, created: None, key: Some(key) };
        let said = |trust, signers: &[Signer]| {
            sentence(&Verified { trust, signers: signers.to_vec(), why: Some("a\x07".into()) })
        };
        let digits = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567";
        let unknown = Signer { key: None, ..known.clone() };
        for (trust, signer, wanted) in [
            (Trust::Good, &known, "which rpm trusts; the key is valid until 1970-01-02"),
            (Trust::UnknownKey, &unknown, "kmp key import FILE"),
            (Trust::NotTrusted, &known, "is not trusted: a\\x07. Ask"),
        ] {
            let text = said(trust, std::slice::from_ref(signer));
            assert!(text.contains(digits) && text.contains(wanted) && !text.contains('\x1b'), "{text}");
        }
        assert!(said(Trust::Corrupt, &[]).contains("made: a\\x07. Do not install it"));
        let all = [
            Trust::Good,
            Trust::UnknownKey,
            Trust::NotTrusted,
            Trust::Unsigned,
            Trust::Uncovered,
            Trust::Corrupt,
        ];
        assert_eq!(all.map(word), *WORDS);
    }
}
