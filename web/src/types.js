/**
 * The shapes of the wire contract (see /docs), as far as the web client reads them.
 * Times are RFC 3339 UTC, durations integer milliseconds, sizes integer bytes.
 *
 * @typedef {{ id: string, username: string, display_name: string }} User
 * @typedef {User & { accepts_voice: boolean, sends_played_receipts: boolean, locale: string | null }} Me
 * @typedef {{ user: User, token: string, device_id: string }} SignedIn
 *
 * @typedef {{ user: User, role: "owner" | "member", read_seq: number, delivered_seq: number }} Member
 * @typedef {{ voice: boolean, reason?: string | null }} CanSend
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"direct" | "group"} kind
 * @property {string | null} title
 * @property {boolean} live
 * @property {Member[]} members
 * @property {CanSend} can_send
 * @property {string} created_at
 * @property {number} last_seq
 * @property {number} version
 * @property {Message | null} [last_message]
 * @property {number} [unread_count]
 * @property {number} [unplayed_count]
 *
 * @typedef {object} Audio
 * @property {string} url        signed, good for about 15 minutes
 * @property {string} type
 * @property {number} size_bytes
 * @property {string} sha256
 * @property {string[]} formats
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} conversation_id
 * @property {number | null} seq      null until it is published
 * @property {number} version
 * @property {"recording" | "processing" | "ready" | "failed" | "deleted"} state
 * @property {User} sender
 * @property {string | null} client_id
 * @property {string | null} [reply_to]
 * @property {string | null} [caption]
 * @property {string} created_at
 * @property {number | null} duration_ms
 * @property {boolean} [truncated]
 * @property {number[] | null} waveform   0..1024, null until analysed
 * @property {number | null} [gain_db]    what a player applies, null until analysed
 * @property {[number, number][] | null} [speech]   where somebody speaks, in ms, null until analysed
 * @property {Audio | null} audio
 * @property {PlaybackSummary} [playback]  where the one who asks is in it
 * @property {User[]} [played_by]          to its sender: who played it, the first 50
 * @property {number} [played_count]       to its sender: how many did
 *
 * @typedef {{ version: number, position_ms: number, heard_ms: number, played: boolean }} PlaybackSummary
 * @typedef {PlaybackSummary & { speed: number, heard: [number, number][], player_id: string | null, device_id: string | null,
 *   updated_at: string | null }} Playback
 * @typedef {Playback & { playhead_applied: boolean }} PlaybackAnswer
 *
 * @typedef {{ id: string, device_id: string, device_name: string | null, created_at: string, last_used_at: string, current: boolean }} Session
 *
 * @typedef {object} Config
 * @property {string} version
 * @property {number} max_audio_bytes
 * @property {number} max_multipart_bytes
 * @property {number} max_duration_ms
 * @property {string} sign_up          "open", "invite" or "closed"
 * @property {string[]} accepted_types
 * @property {string[]} features
 *
 * @typedef {{ type: string, token?: string, conversation_id?: string, [key: string]: any }} SocketEvent
 */

export {};
