//! What the safe `opus` crate does not offer of libopus: DRED, the effort of the decoder, whether a packet has FEC.
//!
//! Contract of every type here: the pointer came from libopus, is not null, is owned by the value alone, is freed once
//! in `drop`, and every buffer handed over is as long as libopus is told. Mono throughout.
#![expect(unsafe_code, reason = "calls of libopus")]

use std::ptr::{NonNull, null};

use opusic_sys as sys;

const RATE: i32 = 48_000;

/// Something that libopus refused, as its error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) i32);

fn checked(code: i32) -> Result<usize, Refused> {
    usize::try_from(code).map_err(|_| Refused(code))
}

/// A length for libopus. Sound and packets here are far shorter than this; longer ones are cut.
fn length(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// A mono decoder to 48 kHz.
#[derive(Debug)]
pub(crate) struct Decoder(NonNull<sys::OpusDecoder>);

// SAFETY: libopus keeps no thread-local state, and the value owns its pointer alone.
unsafe impl Send for Decoder {}

impl Decoder {
    /// `effort` 0 to 10: from 5 on packets are concealed by the neural network (deep PLC).
    pub(crate) fn new(effort: i32) -> Self {
        let mut error = 0;
        // SAFETY: plain call; the result is checked for null.
        let decoder = unsafe { sys::opus_decoder_create(RATE, 1, &mut error) };
        let decoder = Self(NonNull::new(decoder).expect("libopus has memory for a decoder"));
        // SAFETY: the pointer is valid; this request takes one int.
        unsafe {
            sys::opus_decoder_ctl(
                decoder.0.as_ptr(),
                sys::OPUS_SET_COMPLEXITY_REQUEST,
                effort.clamp(0, 10),
            )
        };
        decoder
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the pointer is valid; this request takes nothing.
        unsafe { sys::opus_decoder_ctl(self.0.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Decodes a packet; gives the number of samples.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, Refused> {
        self.call(packet, out, false)
    }

    /// Decodes the copy of the packet before `packet` that is in it, or conceals when there is none.
    pub(crate) fn decode_fec(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, Refused> {
        self.call(packet, out, true)
    }

    /// Fills `out`, whole pieces of 2.5 ms, with a continuation of what was decoded last.
    pub(crate) fn conceal(&mut self, out: &mut [f32]) -> Result<usize, Refused> {
        // SAFETY: no packet means concealment; `out` is as long as told.
        checked(unsafe {
            sys::opus_decode_float(self.0.as_ptr(), null(), 0, out.as_mut_ptr(), length(out.len()), 0)
        })
    }

    /// Fills `out` with the sound that begins `offset` samples before the packet that `dred` was read from.
    pub(crate) fn decode_dred(
        &mut self,
        dred: &Dred,
        offset: u32,
        out: &mut [f32],
    ) -> Result<usize, Refused> {
        let offset = i32::try_from(offset).unwrap_or(i32::MAX);
        // SAFETY: both pointers are valid; `out` is as long as told.
        checked(unsafe {
            sys::opus_decoder_dred_decode_float(
                self.0.as_ptr(),
                dred.state.as_ptr(),
                offset,
                out.as_mut_ptr(),
                length(out.len()),
            )
        })
    }

    fn call(&mut self, packet: &[u8], out: &mut [f32], fec: bool) -> Result<usize, Refused> {
        if packet.is_empty() {
            return Err(Refused(sys::OPUS_BAD_ARG));
        }
        // SAFETY: packet and `out` are as long as told.
        checked(unsafe {
            sys::opus_decode_float(
                self.0.as_ptr(),
                packet.as_ptr(),
                length(packet.len()),
                out.as_mut_ptr(),
                length(out.len()),
                i32::from(fec),
            )
        })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: created by libopus, freed once.
        unsafe { sys::opus_decoder_destroy(self.0.as_ptr()) }
    }
}

/// Reads DRED out of packets, and keeps what it read last.
#[derive(Debug)]
pub(crate) struct Dred {
    decoder: NonNull<sys::OpusDREDDecoder>,
    state: NonNull<sys::OpusDRED>,
}

// SAFETY: as for `Decoder`.
unsafe impl Send for Dred {}

impl Dred {
    /// Longest stretch that is read, in samples: 1 s, what libopus can write.
    pub(crate) const MAX_SAMPLES: i32 = 48_000;

    pub(crate) fn new() -> Self {
        let mut error = 0;
        // SAFETY: plain calls; the results are checked for null.
        let (decoder, state) = unsafe {
            (
                sys::opus_dred_decoder_create(&mut error),
                sys::opus_dred_alloc(&mut error),
            )
        };
        Self {
            decoder: NonNull::new(decoder).expect("libopus has memory for a DRED decoder"),
            state: NonNull::new(state).expect("libopus has memory for DRED"),
        }
    }

    /// Reads the redundancy of `packet` and gives for how many samples before it there is some. Only with `decode` can
    /// it be decoded afterwards, which costs much more.
    pub(crate) fn read(&mut self, packet: &[u8], decode: bool) -> u32 {
        if packet.is_empty() {
            return 0;
        }
        let mut end = 0;
        // SAFETY: all pointers are valid; the packet is as long as told.
        let reach = unsafe {
            sys::opus_dred_parse(
                self.decoder.as_ptr(),
                self.state.as_ptr(),
                packet.as_ptr(),
                length(packet.len()),
                Self::MAX_SAMPLES,
                RATE,
                &mut end,
                i32::from(!decode),
            )
        };
        u32::try_from(reach).unwrap_or(0)
    }
}

impl Drop for Dred {
    fn drop(&mut self) {
        // SAFETY: created by libopus, freed once.
        unsafe {
            sys::opus_dred_decoder_destroy(self.decoder.as_ptr());
            sys::opus_dred_free(self.state.as_ptr());
        }
    }
}

/// Whether a packet that keeps the rules of RFC 6716 holds a copy of the one before it.
pub(crate) fn has_fec(packet: &[u8]) -> bool {
    // SAFETY: the packet is as long as told and not empty.
    !packet.is_empty() && unsafe { sys::opus_packet_has_lbrr(packet.as_ptr(), length(packet.len())) } > 0
}

/// A mono encoder.
#[derive(Debug)]
pub(crate) struct Encoder(NonNull<sys::OpusEncoder>);

// SAFETY: as for `Decoder`.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder from 8, 12, 16, 24 or 48 kHz, for one of libopus's applications.
    pub(crate) fn new(rate: u32, application: i32) -> Self {
        let mut error = 0;
        // SAFETY: plain call; the result is checked for null.
        let encoder = unsafe { sys::opus_encoder_create(rate as i32, 1, application, &mut error) };
        Self(NonNull::new(encoder).expect("libopus takes the rate and has memory for an encoder"))
    }

    /// Samples that come out before the first that went in.
    pub(crate) fn lookahead(&mut self) -> usize {
        let mut samples = 0_i32;
        // SAFETY: the pointer is valid; this request takes a pointer to an int, which it fills.
        unsafe {
            sys::opus_encoder_ctl(
                self.0.as_ptr(),
                sys::OPUS_GET_LOOKAHEAD_REQUEST,
                &mut samples as *mut i32,
            )
        };
        usize::try_from(samples).unwrap_or(0)
    }

    /// A request that takes one number.
    pub(crate) fn set(&mut self, request: i32, value: i32) -> Result<usize, Refused> {
        // SAFETY: the pointer is valid; the callers' requests all take one int.
        checked(unsafe { sys::opus_encoder_ctl(self.0.as_ptr(), request, value) })
    }

    /// Encodes one frame; gives the number of bytes.
    pub(crate) fn encode(&mut self, frame: &[f32], out: &mut [u8]) -> Result<usize, Refused> {
        // SAFETY: frame and `out` are as long as told.
        checked(unsafe {
            sys::opus_encode_float(
                self.0.as_ptr(),
                frame.as_ptr(),
                length(frame.len()),
                out.as_mut_ptr(),
                length(out.len()),
            )
        })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: created by libopus, freed once.
        unsafe { sys::opus_encoder_destroy(self.0.as_ptr()) }
    }
}
