// SPDX-License-Identifier: LGPL-2.1-or-later
//! Package files signed by real keys, verified by the keys of a root.

use std::fs;
use std::path::Path;

use librpm_rt::{Librpm, Trust, TrustedKeys, Verified};
use rpm_meta::openpgp::{Issuer, Key};
use testkit::{Package, PackageBuilder, SigningKey, TestRoot, corrupted, import_key};

fn package() -> Package {
    let module = vec![7; 5000];
    PackageBuilder::kmp("signed", "default", "1.0", "6.4.0-1-default", [("signed.ko", module)]).build()
}

fn verify(file: &Path, keys: &TrustedKeys) -> Verified {
    Librpm::load().unwrap().verify(file, keys).unwrap()
}

fn trust(file: &Path, keys: &TrustedKeys) -> Trust {
    verify(file, keys).trust
}

fn written(root: &TestRoot, bytes: &[u8]) -> std::path::PathBuf {
    let path = root.join("written.rpm");
    fs::write(&path, bytes).unwrap();
    path
}

/// One root and three keys for all, as keys take their time.
#[test]
fn what_is_signed_by_whom_is_found_out_without_reading_what_rpm_prints() {
    let root = TestRoot::new();
    let plain = package();
    // For a database.
    root.install(&[&plain]);
    let [ours, theirs] = ["Ours <ours@example.com>", "Theirs <theirs@example.com>"].map(SigningKey::new);
    let rpm = Librpm::load().unwrap();
    let none = rpm.open(&root.path()).unwrap().trusted_keys().unwrap();
    assert_eq!(none.all(), []);
    // Both in one file; each signed a package.
    let both = root.join("both.asc");
    fs::write(&both, format!("{}{}", ours.public(), theirs.public())).unwrap();
    let mut read: Vec<String> = Vec::new();
    read.extend(Key::read_all(&fs::read(&both).unwrap()).unwrap().into_iter().map(|key| key.fingerprint));
    assert_eq!(read, [ours.fingerprint(), theirs.fingerprint()]);
    let signed = ours.sign(&plain);
    let found = verify(signed.path(), &none);
    let issuer = Issuer::Fingerprint(ours.fingerprint().to_string());
    assert_eq!((found.trust, found.signers[0].issuer.clone()), (Trust::UnknownKey, Some(issuer)));
    assert!(found.signers.len() == 1 && found.signers[0].key.is_none(), "{found:?}");
    import_key(&root, &theirs.file());
    let others = rpm.open(&root.path()).unwrap().trusted_keys().unwrap();
    assert_eq!(trust(signed.path(), &others), Trust::UnknownKey);
    import_key(&root, &both);

    let keys = rpm.open(&root.path()).unwrap().trusted_keys().unwrap();
    let mut known: Vec<(&str, &str)> = Vec::new();
    known.extend(keys.all().iter().map(|key| (key.fingerprint.as_str(), key.user_ids[0].as_str())));
    let mut wanted = [
        (ours.fingerprint(), "Ours <ours@example.com>"),
        (theirs.fingerprint(), "Theirs <theirs@example.com>"),
    ];
    wanted.sort_unstable();
    assert_eq!(known, wanted);
    for (key, file) in [(&ours, &signed), (&theirs, &theirs.sign(&plain))] {
        let found = verify(file.path(), &keys);
        let signer = &found.signers[0];
        let fingerprint = signer.key.as_ref().map(|key| key.fingerprint.as_str());
        assert_eq!((found.trust, fingerprint), (Trust::Good, Some(key.fingerprint())), "{found:?}");
        assert!(found.why.is_none() && signer.created.is_some());
    }
    assert_eq!(trust(plain.path(), &keys), Trust::Unsigned);
    // Whether it is signed, and by whom, is of no account where it is not what it was.
    for package in [&plain, &signed] {
        for header in [None, Some("A package for tests")] {
            let file = written(&root, &corrupted(package, header));
            for keys in [&keys, &none] {
                let found = verify(&file, keys);
                assert!(found.trust == Trust::Corrupt && found.why.is_some(), "{header:?}: {found:?}");
            }
        }
    }
    let whole = fs::read(signed.path()).unwrap();
    assert_eq!(trust(&written(&root, &whole[..whole.len() - 9]), &keys), Trust::Corrupt);
    assert_eq!(trust(&written(&root, &[&whole[..], b"more"].concat()), &keys), Trust::Corrupt);
    // Of a header alone the same is found out, but that its payload is not there.
    let header_of = |package: &Package, changed: Option<&str>| {
        let bytes = match changed {
            Some(text) => corrupted(package, Some(text)),
            None => fs::read(package.path()).unwrap(),
        };
        let end = rpm_meta::header::Header::read(&bytes).unwrap().range().end;
        let file = written(&root, &bytes[..end]);
        let (header, whole) = (rpm.verify_header(&file, &keys).unwrap(), rpm.verify(&file, &keys).unwrap());
        assert_eq!(whole.trust, Trust::Corrupt, "{whole:?}");
        (header.trust, header.signers.len())
    };
    assert_eq!(header_of(&signed, None), (Trust::Good, 1));
    assert_eq!(header_of(&plain, None), (Trust::Unsigned, 0));
    assert_eq!(header_of(&signed, Some("A package for tests")).0, Trust::Corrupt);
    let said = rpm.verify(&written(&root, b"no package"), &keys).unwrap_err().to_string();
    assert!(said.contains("it is not an rpm package"), "{said}");

    // A key that was no longer valid when it was used: its owner says so after that, which rpm 4 does not look at.
    let old = SigningKey::made_at("Old <old@example.com>", "20200101T000000");
    let used = old.sign(&plain);
    old.expire_at("20200201T000000");
    import_key(&root, &old.file());
    let keys = rpm.open(&root.path()).unwrap().trusted_keys().unwrap();
    let found = verify(used.path(), &keys);
    assert!(found.trust == Trust::NotTrusted && found.why.is_some(), "{found:?}");
    assert_eq!(found.signers[0].key.as_ref().unwrap().fingerprint, old.fingerprint());
}
