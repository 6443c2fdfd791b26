//! The decoder of Skype's SILK SDK 1.0.9, which the crate silk-codec brings. That crate decodes whole files in memory; packets are
//! decoded here through the SDK's own functions (`SKP_Silk_SDK_API.h`).
//!
//! Contract: the state is as large as the SDK says, aligned for any type, and owned by one value; a packet is at most
//! `MAX_PACKET` bytes, as long as told; `out` has room for the longest frame of the SDK (20 ms at 48 kHz).
#![expect(unsafe_code, reason = "calls of the SILK SDK")]

use std::ffi::{c_int, c_void};

// For the library in C that it links.
use silk_codec as _;

use super::{FRAME, MAX_PACKET, MAX_SAMPLES, RATE};

/// `SKP_SILK_SDK_DecControlStruct` of `SKP_Silk_control.h`.
#[repr(C)]
struct Control {
    api_sample_rate: i32,
    frame_size: c_int,
    frames_per_packet: c_int,
    more_internal_decoder_frames: c_int,
    in_band_fec_offset: c_int,
}

unsafe extern "C" {
    fn SKP_Silk_SDK_Get_Decoder_Size(size: *mut i32) -> c_int;
    fn SKP_Silk_SDK_InitDecoder(state: *mut c_void) -> c_int;
    fn SKP_Silk_SDK_Decode(
        state: *mut c_void,
        control: *mut Control,
        lost: c_int,
        packet: *const u8,
        size: c_int,
        out: *mut i16,
        samples: *mut i16,
    ) -> c_int;
}

/// 20 ms at 48 kHz.
const LONGEST_FRAME: usize = 960;
/// Frames that a packet may hold.
const MAX_FRAMES: usize = MAX_SAMPLES / FRAME;

/// A decoder to 24 kHz. It allocates when it is made and never again.
pub(super) struct Decoder {
    /// In words, so that anything in it is aligned.
    state: Vec<u64>,
    frame: [i16; LONGEST_FRAME],
}

impl Decoder {
    pub(super) fn new() -> Self {
        let mut size = 0;
        // SAFETY: it writes one number.
        unsafe { SKP_Silk_SDK_Get_Decoder_Size(&mut size) };
        let mut decoder = Self {
            state: vec![0; (size.max(0) as usize).div_ceil(8)],
            frame: [0; LONGEST_FRAME],
        };
        decoder.reset();
        decoder
    }

    fn reset(&mut self) {
        // SAFETY: the state is as large as was asked for.
        unsafe { SKP_Silk_SDK_InitDecoder(self.state.as_mut_ptr().cast()) };
    }

    /// Decodes a packet into `out`, which has room for [`MAX_SAMPLES`]; an empty packet is a pause. Gives the number of samples, or
    /// `None` for a packet that is damaged.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut [i16; MAX_SAMPLES]) -> Option<usize> {
        let mut control = Control {
            api_sample_rate: RATE as i32,
            frame_size: 0,
            frames_per_packet: 1,
            more_internal_decoder_frames: 0,
            in_band_fec_offset: 0,
        };
        let packet = packet.get(..MAX_PACKET).unwrap_or(packet);
        let mut written = 0;
        for _ in 0..MAX_FRAMES {
            let mut samples = 0;
            // SAFETY: see the contract above.
            let code = unsafe {
                SKP_Silk_SDK_Decode(
                    self.state.as_mut_ptr().cast(),
                    &mut control,
                    packet.is_empty().into(),
                    packet.as_ptr(),
                    packet.len() as c_int,
                    self.frame.as_mut_ptr(),
                    &mut samples,
                )
            };
            let frame = usize::try_from(samples)
                .ok()
                .filter(|&samples| code == 0 && samples <= FRAME)
                .and_then(|samples| self.frame.get(..samples));
            let Some((frame, room)) = frame.zip(out.get_mut(written..)) else {
                self.reset();
                return None;
            };
            room.get_mut(..frame.len())?.copy_from_slice(frame);
            written += frame.len();
            if control.more_internal_decoder_frames == 0 {
                return Some(written);
            }
        }
        // More frames than a packet may hold.
        self.reset();
        None
    }
}

/// Closes what was inherited besides the three standard streams.
#[cfg(target_os = "linux")]
pub(super) fn close_all_files() {
    // SAFETY: nothing in this process owns a file yet. Kernels before 5.9 do not know the call; what the program opened is closed
    // by its `exec` anyway.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn close_all_files() {}
