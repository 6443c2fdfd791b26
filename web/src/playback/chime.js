const PEAK = 0.06;
const SECONDS = 0.32;

/**
 * A soft falling third, quieter than any voice, between one message and the next. Resolves when it is over.
 * @param {AudioContext | null} context
 * @returns {Promise<void>}
 */
export function chime(context) {
  if (context?.state !== "running") return Promise.resolve();
  const start = context.currentTime;
  const level = context.createGain();
  level.gain.setValueAtTime(0, start);
  level.gain.linearRampToValueAtTime(PEAK, start + 0.02);
  level.gain.exponentialRampToValueAtTime(0.0001, start + SECONDS);
  level.connect(context.destination);
  const tone = context.createOscillator();
  tone.frequency.setValueAtTime(880, start);
  tone.frequency.setValueAtTime(698.5, start + SECONDS / 3);
  tone.connect(level);
  tone.start(start);
  tone.stop(start + SECONDS);
  // A context that is stopped in the middle (a call comes in) never ends the tone.
  return new Promise((resolve) => {
    tone.onended = () => resolve();
    setTimeout(resolve, SECONDS * 2000);
  });
}
