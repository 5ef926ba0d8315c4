// SPDX-License-Identifier: LGPL-2.1-or-later
//! The compressions of modules and symvers files, done as kernel builds do them.

use std::io::Write;

use flate2::write::GzEncoder;
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;

/// How a file is compressed, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    Plain,
    /// `gzip -6`.
    Gz,
    /// `xz --check=crc32 --lzma2=dict=1MiB`.
    Xz,
    /// `zstd -3`.
    Zst,
}

impl Compression {
    /// All of them, for tests that loop.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gz, Self::Xz, Self::Zst];

    /// The file name's ending: empty, `.gz`, `.xz` or `.zst`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
        }
    }
}

/// `bytes`, compressed.
pub fn compress(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::Plain => bytes.to_vec(),
        Compression::Gz => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("gzip to memory")
        }
        Compression::Xz => {
            let mut options = LzmaOptions::new_preset(6).expect("preset 6 exists");
            options.dict_size(1 << 20);
            let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32)
                .expect("an xz encoder");
            let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("xz to memory")
        }
        // With the size in the frame, as the zstd program has it: kmod from 34 on reads no other.
        Compression::Zst => zstd::bulk::compress(bytes, 3).expect("zstd to memory"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_compression_can_be_undone() {
        let bytes = crate::noise::code_like(100_000, 1);
        for compression in Compression::ALL {
            let packed = compress(&bytes, compression);
            let mut out = Vec::new();
            let mut reader: Box<dyn Read> = match compression {
                Compression::Plain => Box::new(&packed[..]),
                Compression::Gz => Box::new(flate2::read::GzDecoder::new(&packed[..])),
                Compression::Xz => Box::new(liblzma::read::XzDecoder::new(&packed[..])),
                Compression::Zst => Box::new(zstd::Decoder::new(&packed[..]).unwrap()),
            };
            reader.read_to_end(&mut out).unwrap();
            assert_eq!(out, bytes, "{compression:?}");
        }
    }

    #[test]
    fn padding_compresses_like_machine_code() {
        let bytes = crate::noise::code_like(400_000, 7);
        let ratio = bytes.len() as f64 / compress(&bytes, Compression::Zst).len() as f64;
        assert!((1.7..3.5).contains(&ratio), "{ratio:.2}");
        let ratio = bytes.len() as f64 / compress(&bytes, Compression::Xz).len() as f64;
        assert!((2.0..4.0).contains(&ratio), "{ratio:.2}");
    }
}
