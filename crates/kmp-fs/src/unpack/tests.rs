// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whole files of each format: what is accepted, what is refused, and that neither memory nor work runs away.

use super::*;
use ::zstd::zstd_safe::DCtx;
use flate2::{Decompress, FlushDecompress};
use kmp_steps::steps_of;
use liblzma::stream as lzma;
use std::io::Write;
use std::time::{Duration, Instant};

const LIMIT: u64 = 1 << 20;
const KINDS: [Kind; 3] = [Kind::Gzip, Kind::Xz, Kind::Zstd];

fn gz(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One frame that has its size.
fn zst(data: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(data, 3).unwrap()
}

/// One frame that does not, with a checksum.
fn zst_stream(data: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn pack(kind: Kind, data: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Plain => data.to_vec(),
        Kind::Gzip => gz(data),
        Kind::Xz => xz(data),
        Kind::Zstd => zst(data),
        other => panic!("{other} is for the programs to pack"),
    }
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn sample(len: usize) -> Vec<u8> {
    let mut seed = 88_172_645_463_325_252;
    (0..len).map(|i| if i % 5 == 0 { random(&mut seed).to_le_bytes()[3] } else { (i / 97) as u8 }).collect()
}

#[test]
fn round_trips_of_every_size() {
    let mut inflater = Inflater::new();
    for len in [0, 1, 5, 1000, 65_535, 65_536, 65_537, 131_072, 700_000] {
        let data = sample(len);
        for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data), data.clone()] {
            assert_eq!(inflater.inflate(&packed, LIMIT).unwrap(), data, "{:?} {len}", Kind::of(&packed));
        }
    }
}

#[test]
fn plain_bytes_pass_through_uncopied() {
    assert!(matches!(inflate(&b"\x7fELF"[..], 4), Ok(Cow::Borrowed(b"\x7fELF"))));
    let owned = b"\x7fELF".to_vec();
    let at = owned.as_ptr();
    assert_eq!(inflate(owned, 4).unwrap().as_ptr(), at);
    assert!(matches!(inflate(&b"\x7fELF"[..], 3), Err(DecompressError::TooBig { limit: 3, .. })));
    assert_eq!(inflate(&b""[..], 0).unwrap(), &b""[..]);
}

#[test]
fn several_streams_make_one_file() {
    let (a, b) = (sample(70_000), b"second".to_vec());
    let both = [&a[..], &b].concat();
    let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    for packed in [
        [gz(&a), gz(&b)].concat(),
        [gz(&a), gz(b""), gz(&b)].concat(),
        [xz(&a), xz(&b)].concat(),
        [xz(&a), vec![0; 8], xz(&b), vec![0; 4]].concat(),
        [zst(&a), zst(&b)].concat(),
        [zst_stream(&a), zst(&b), skippable.to_vec()].concat(),
        [skippable.to_vec(), zst(&a), skippable.to_vec(), zst_stream(&b)].concat(),
    ] {
        assert_eq!(inflate(&packed, LIMIT).unwrap(), both);
    }
}

#[test]
fn the_limit_is_exact() {
    let data = sample(100_000);
    for packed in
        [gz(&data), xz(&data), zst(&data), zst_stream(&data), [zst(&data[..9]), zst(&data[9..])].concat()]
    {
        let kind = Kind::of(&packed);
        assert_eq!(inflate(&packed, 100_000).unwrap(), data);
        assert_eq!(
            inflate(&packed, 99_999),
            Err(DecompressError::TooBig { kind, limit: 99_999 }),
            "{kind:?}"
        );
        assert_eq!(inflate(&packed, 0), Err(DecompressError::TooBig { kind, limit: 0 }), "{kind:?}");
    }
    // 32 MiB of zeros in a few bytes, with no word of its size.
    let bomb = zst_stream(&vec![0; 32 << 20]);
    let mut out = Output::new(Kind::Zstd, bomb.len(), LIMIT);
    assert_eq!(
        zstd::Context::default().whole(&bomb, &mut out),
        Err(DecompressError::TooBig { kind: Kind::Zstd, limit: LIMIT })
    );
    assert!(out.bytes.capacity() as u64 <= LIMIT + 1, "{}", out.bytes.capacity());
}

#[test]
fn claims_of_size_are_not_believed() {
    // gzip: 4 GiB - 1 claimed.
    let mut packed = gz(b"little");
    let at = packed.len() - 4;
    packed[at..].fill(0xff);
    let mut out = Output::new(Kind::Gzip, packed.len(), MODULE_LIMIT);
    assert!(matches!(gzip::whole(&packed, &mut out), Err(DecompressError::Damaged { .. })));
    assert!(out.bytes.capacity() < 100_000);
    // zstd: a single-segment frame of 256 MiB, then nothing.
    let packed = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x10, 1, 0, 0];
    let mut out = Output::new(Kind::Zstd, packed.len(), MODULE_LIMIT);
    assert!(zstd::Context::default().whole(&packed, &mut out).is_err());
    assert!(out.bytes.capacity() < 2 << 20);
}

#[test]
fn exact_space_where_the_size_is_told() {
    let data = sample(300_000);
    for kind in KINDS {
        let Cow::Owned(out) = inflate(pack(kind, &data), LIMIT).unwrap() else { panic!("{kind:?}") };
        assert!(out.capacity() <= 300_016, "{kind:?} {}", out.capacity());
    }
}

#[test]
fn every_cut_ends_early() {
    let data = sample(3000);
    let mut inflater = Inflater::new();
    for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data)] {
        let kind = Kind::of(&packed);
        for end in 6..packed.len() {
            let got = inflater.inflate(&packed[..end], LIMIT);
            assert_eq!(got, Err(DecompressError::EndsEarly { kind }), "{kind} cut at {end}");
        }
    }
}

#[test]
fn what_follows() {
    let data = sample(3000);
    assert_eq!(inflate([gz(&data), b"garbage".to_vec()].concat(), LIMIT).unwrap(), data);
    for kind in [Kind::Xz, Kind::Zstd] {
        let got = inflate([pack(kind, &data), b"garbage, and more of it".to_vec()].concat(), LIMIT);
        assert!(matches!(got, Err(DecompressError::TrailingGarbage { .. })), "{kind} {got:?}");
    }
    // Padding that is no multiple of four.
    assert!(inflate([xz(&data), vec![0; 3]].concat(), LIMIT).is_err());
}

#[test]
fn what_unpacks_to_far_more_than_modules_do_is_refused() {
    let zeros = vec![0; 100 << 20];
    for kind in KINDS {
        let packed = pack(kind, &zeros);
        let error = inflate(packed, MODULE_LIMIT).unwrap_err();
        assert!(matches!(error, DecompressError::Ratio { limit: RATIO_LEAST, .. }), "{kind}: {error}");
    }
}

#[test]
fn very_many_tiny_streams_are_refused_and_cost_little() {
    let legacy = [&[0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0x10, b'x'][..]].concat();
    let bzip2 = {
        let mut packer = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::best());
        packer.write_all(b"x").unwrap();
        packer.finish().unwrap()
    };
    let lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    let lz4 = {
        let mut lz4 = lz4;
        lz4.write_all(b"x").unwrap();
        lz4.finish().unwrap()
    };
    let tiny = [gz(b"x"), xz(b"x"), zst(b"x"), lz4, legacy, bzip2];
    for one in tiny {
        let error = inflate(one.repeat(20_000), MODULE_LIMIT).unwrap_err();
        assert!(matches!(error, DecompressError::Streams { .. }), "{error}");
        // Some are sound.
        inflate(one.repeat(20), MODULE_LIMIT).unwrap();
        let steps = |n: usize| steps_of(|| drop(inflate(one.repeat(n), MODULE_LIMIT)));
        assert!(steps(80_000) < 2000, "{}", steps(80_000));
    }
}

#[test]
fn greedy_xz_is_refused() {
    let mut options = lzma::LzmaOptions::new_preset(6).unwrap();
    options.dict_size(512 << 20);
    let mut filters = lzma::Filters::new();
    filters.lzma2(&options);
    // Only the header's dictionary size matters: patch nothing, encode nothing big.
    let Ok(stream) = lzma::Stream::new_stream_encoder(&filters, lzma::Check::Crc32) else { return };
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(b"x").unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(inflate(packed, LIMIT), Err(DecompressError::Memory { kind: Kind::Xz }));
}

#[test]
fn damage_never_panics_nor_breaks_the_next() {
    let data = sample(2000);
    let mut inflater = Inflater::new();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data)] {
        for _ in 0..3000 {
            let mut bytes = packed.clone();
            for _ in 0..1 + random(&mut seed) % 4 {
                let at = random(&mut seed) as usize % bytes.len();
                bytes[at] = random(&mut seed).to_le_bytes()[2];
            }
            if let Ok(out) = inflater.inflate(&bytes, LIMIT) {
                assert!(out.len() as u64 <= LIMIT);
            }
        }
        assert_eq!(inflater.inflate(&packed, LIMIT).unwrap(), data);
    }
}

/// The cost beside that of the libraries alone, called with a context and an output that are kept and large enough. Run with
/// `cargo test --release -p kmp-fs -- --ignored --nocapture cost`.
#[test]
#[ignore = "a measurement"]
fn cost_beside_the_bare_libraries() {
    let code = std::fs::read("/proc/self/exe").unwrap();
    let mut seed = 7;
    let pieces: Vec<&[u8]> = (0..300)
        .map(|_| {
            let len = 8000 + random(&mut seed) as usize % 200_000;
            let at = random(&mut seed) as usize % (code.len() - len);
            &code[at..at + len]
        })
        .collect();
    let mib = pieces.iter().map(|p| p.len()).sum::<usize>() as f64 / 1048576.0;
    for kind in KINDS {
        let packed: Vec<Vec<u8>> = pieces.iter().map(|p| pack(kind, p)).collect();
        let mut buffer = vec![0; 300_000];
        let mut context = DCtx::create();
        let mut bare = |packed: &[u8]| -> usize {
            match kind {
                Kind::Zstd => context.decompress(&mut buffer[..], packed).unwrap(),
                Kind::Xz => {
                    let mut s = lzma::Stream::new_stream_decoder(u64::MAX, 0).unwrap();
                    s.process(packed, &mut buffer, lzma::Action::Finish).unwrap();
                    s.total_out() as usize
                }
                _ => {
                    let mut d = Decompress::new_gzip(15);
                    d.decompress(packed, &mut buffer, FlushDecompress::Finish).unwrap();
                    d.total_out() as usize
                }
            }
        };
        let mut inflater = Inflater::new();
        let (mut best, mut best_bare) = (Duration::MAX, Duration::MAX);
        for _ in 0..7 {
            let start = Instant::now();
            let a: usize = packed.iter().map(|p| bare(p)).sum();
            best_bare = best_bare.min(start.elapsed());
            let start = Instant::now();
            let b: usize = packed.iter().map(|p| inflater.inflate(p, MODULE_LIMIT).unwrap().len()).sum();
            best = best.min(start.elapsed());
            assert_eq!(a, b);
        }
        println!(
            "{kind}: {mib:.1} MiB in 300 files: {best:.1?}, bare {best_bare:.1?}, ratio {:.3}",
            best.as_secs_f64() / best_bare.as_secs_f64()
        );
    }
}
