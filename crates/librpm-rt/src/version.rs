//! Versions as rpm has them.

use std::fmt;

/// Epoch, version and release of a package. Compare with [`Librpm::compare_evr`](crate::Librpm::compare_evr).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Evr {
    /// None counts as 0 when compared.
    pub epoch: Option<u32>,
    /// The version.
    pub version: String,
    /// The release.
    pub release: String,
}

impl Evr {
    /// Reads `[epoch:]version[-release]`, as rpm writes it in dependencies and file names.
    pub fn parse(text: &str) -> Evr {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
                (if epoch.is_empty() { Some(0) } else { epoch.parse().ok() }, rest)
            }
            _ => (None, text),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Evr { epoch, version: version.to_owned(), release: release.to_owned() }
    }
}

/// `[epoch:]version[-release]`.
impl fmt::Display for Evr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(out, "{epoch}:")?;
        }
        out.write_str(&self.version)?;
        if !self.release.is_empty() {
            write!(out, "-{}", self.release)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Evr;

    #[test]
    fn evr_is_read_and_written() {
        for text in ["1", "1-2", "3:1-2", "0:1.0_k6.4-1.1", "1-2-3"] {
            assert_eq!(Evr::parse(text).to_string(), text);
        }
        assert_eq!(Evr::parse("7:1-2").epoch, Some(7));
        assert_eq!(Evr::parse("1-2-3").version, "1-2");
        assert_eq!(Evr::parse("a:1").epoch, None);
    }
}
