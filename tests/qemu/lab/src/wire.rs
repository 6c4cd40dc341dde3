//! A cable in bad weather: every frame of a guest passes through the lab, which loses, repeats or damages some.
//!
//! ```text
//! NIC --filter-redirector out--> socket -> [fate] -> socket --in--> tap      and the same the other way
//! ```
//!
//! QEMU's redirector is used, not tc, because kernels without netem are common. Frames travel with a length of four bytes
//! before them. The dice are seeded: the same weather falls on the same frames, as far as a guest sends the same.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest frame taken; QEMU's own bound is 68 KiB.
const LONGEST: usize = 0x11000;

/// How bad it is: chances in a thousand for each frame, either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// Frames lost.
    pub lost: u16,
    /// Frames that arrive twice.
    pub doubled: u16,
    /// Frames with one bit turned over, behind the Ethernet header.
    pub damaged: u16,
}

impl Weather {
    /// Nothing happens to any frame.
    pub const FAIR: Weather = Weather { lost: 0, doubled: 0, damaged: 0 };
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames that came.
    pub seen: u64,
    /// Frames lost.
    pub lost: u64,
    /// Frames doubled.
    pub doubled: u64,
    /// Frames damaged.
    pub damaged: u64,
}

#[derive(Debug)]
struct Sky {
    weather: Weather,
    tally: Tally,
    dice: u64,
}

/// The lab's end of one guest's cable.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    sky: Arc<Mutex<Sky>>,
    stem: PathBuf,
}

/// The two ways, named as QEMU names the queues of the tap: `rx` is what it gets from the guest.
pub(crate) const WAYS: [&str; 2] = ["rx", "tx"];

impl Wire {
    /// Opens the sockets that QEMU will connect to, at `stem`.rx-out and so on, and starts to carry frames.
    pub(crate) fn open(stem: &Path, weather: Weather) -> io::Result<Self> {
        let wire = Self {
            sky: Arc::new(Mutex::new(Sky { weather, tally: Tally::default(), dice: 0x9e37_79b9_7f4a_7c15 })),
            stem: stem.to_owned(),
        };
        for way in WAYS {
            let (from, to) = (listen(&socket(stem, way, "out"))?, listen(&socket(stem, way, "in"))?);
            let sky = Arc::clone(&wire.sky);
            // It ends when QEMU closes its end, and with it the way.
            std::thread::spawn(move || carry(&from, &to, &sky));
        }
        Ok(wire)
    }

    pub(crate) fn stem(&self) -> &Path {
        &self.stem
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.sky.lock().unwrap_or_else(PoisonError::into_inner).weather = weather;
    }

    pub(crate) fn tally(&self) -> Tally {
        self.sky.lock().unwrap_or_else(PoisonError::into_inner).tally
    }
}

/// The socket of one way and side.
pub(crate) fn socket(stem: &Path, way: &str, side: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(format!(".{way}-{side}"));
    name.into()
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // From the last power-on.
    let _ = std::fs::remove_file(path);
    UnixListener::bind(path)
}

fn carry(from: &UnixListener, to: &UnixListener, sky: &Mutex<Sky>) -> io::Result<()> {
    // QEMU connects in the order of its command line: the way out first.
    let (mut from, _) = from.accept()?;
    let (mut to, _) = to.accept()?;
    loop {
        let frame = frame(&mut from)?;
        let arriving = sky.lock().unwrap_or_else(PoisonError::into_inner).fate(frame);
        for frame in arriving {
            let length = u32::try_from(frame.len()).expect("a frame is shorter than LONGEST");
            to.write_all(&[&length.to_be_bytes()[..], &frame].concat())?;
        }
    }
}

fn frame(from: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

impl Sky {
    /// What arrives of one frame.
    fn fate(&mut self, mut frame: Vec<u8>) -> Vec<Vec<u8>> {
        const ETHERNET: usize = 14;
        self.tally.seen += 1;
        if self.roll(1000) < u64::from(self.weather.lost) {
            self.tally.lost += 1;
            return Vec::new();
        }
        if self.roll(1000) < u64::from(self.weather.damaged) {
            let place = self.roll((frame.len().saturating_sub(ETHERNET)).max(1) as u64);
            let bit = self.roll(8);
            if let Some(byte) = usize::try_from(place).ok().and_then(|place| frame.get_mut(ETHERNET + place))
            {
                *byte ^= 1 << bit;
                self.tally.damaged += 1;
            }
        }
        if self.roll(1000) < u64::from(self.weather.doubled) {
            self.tally.doubled += 1;
            return vec![frame.clone(), frame];
        }
        vec![frame]
    }

    /// A number below `sides` (xorshift64*: even enough for weather).
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        (self.dice.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % sides.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(weather: Weather, frames: usize) -> (Tally, usize) {
        let mut sky = Sky { weather, tally: Tally::default(), dice: 7 };
        let arrived = (0..frames).map(|_| sky.fate(vec![0; 60])).map(|arriving| arriving.len()).sum();
        (sky.tally, arrived)
    }

    #[test]
    fn fair_weather_changes_nothing() {
        let mut sky = Sky { weather: Weather::FAIR, tally: Tally::default(), dice: 1 };
        assert_eq!(sky.fate(vec![1, 2, 3]), [vec![1, 2, 3]]);
    }

    #[test]
    fn loss_comes_near_its_chance() {
        let (tally, arrived) = after(Weather { lost: 100, ..Weather::FAIR }, 10_000);
        assert!((900..1100).contains(&tally.lost), "{tally:?}");
        assert_eq!(u64::try_from(arrived).unwrap(), tally.seen - tally.lost);
    }

    #[test]
    fn nothing_passes_when_all_is_lost_and_all_comes_twice_when_doubled() {
        assert_eq!(after(Weather { lost: 1000, ..Weather::FAIR }, 50).1, 0);
        assert_eq!(after(Weather { doubled: 1000, ..Weather::FAIR }, 50).1, 100);
    }

    #[test]
    fn damage_turns_one_bit_behind_the_header() {
        let mut sky =
            Sky { weather: Weather { damaged: 1000, ..Weather::FAIR }, tally: Tally::default(), dice: 3 };
        let frame = sky.fate(vec![0; 60]).remove(0);
        assert_eq!(frame.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert!(frame.iter().take(14).all(|&byte| byte == 0));
        // A frame without a body stays whole.
        assert_eq!(sky.fate(vec![0; 14]), [vec![0; 14]]);
    }

    #[test]
    fn frames_pass_through_the_sockets_in_order() {
        let stem = std::env::temp_dir().join(format!("cairn-lab-wire-{}", std::process::id()));
        let wire = Wire::open(&stem, Weather::FAIR).unwrap();
        let mut out = UnixStream::connect(socket(&stem, "rx", "out")).unwrap();
        let mut into = UnixStream::connect(socket(&stem, "rx", "in")).unwrap();
        out.write_all(b"\0\0\0\x02ab\0\0\0\x01c").unwrap();
        assert_eq!((frame(&mut into).unwrap(), frame(&mut into).unwrap()), (b"ab".to_vec(), b"c".to_vec()));
        assert_eq!(wire.tally().seen, 2);
        // A length beyond any frame ends the way instead of taking memory.
        out.write_all(&[0xff; 8]).unwrap();
        assert!(frame(&mut into).is_err());
        for (way, side) in [("rx", "out"), ("rx", "in"), ("tx", "out"), ("tx", "in")] {
            std::fs::remove_file(socket(&stem, way, side)).unwrap();
        }
    }
}
