// Figures as text: probabilities, times, counts.

const grouped = new Intl.NumberFormat("en");

/**
 * A count with its thousands apart.
 *
 * @param {number} count
 */
export function counted(count) {
  return grouped.format(count);
}

/**
 * A probability in percent, with three digits that count; what rounds to all or nothing says on which side it is.
 *
 * @param {number} probability
 */
export function percent(probability) {
  const value = probability * 100;
  if (value >= 99.995 && probability < 1) return "> 99.99 %";
  if (value >= 99.95) return `${value.toFixed(2)} %`;
  if (value >= 10) return `${value.toFixed(1)} %`;
  if (value >= 1) return `${value.toFixed(2)} %`;
  if (value >= 0.001) return `${Number(value.toPrecision(2))} %`;
  return value > 0 ? "< 0.001 %" : "0 %";
}

/**
 * A duration.
 *
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  if (milliseconds < 100) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

/**
 * What an answer took, piece by piece.
 *
 * @param {object} usage as the server tells it
 * @returns {string[]}
 */
export function usageOf(usage) {
  const { timings = {}, prompt_tokens_details: details = {} } = usage;
  const speed = timings.decode_tokens_per_second;
  const cached = details.cached_tokens ?? 0;
  const told = [`${counted(usage.completion_tokens)} token${usage.completion_tokens === 1 ? "" : "s"}`];
  if (speed) told.push(`${speed < 100 ? speed.toFixed(1) : counted(Math.round(speed))} tokens/s`);
  if (timings.time_to_first_token_ms) told.push(`first after ${duration(timings.time_to_first_token_ms)}`);
  told.push(`${counted(cached)} of ${counted(usage.prompt_tokens)} prompt tokens cached`);
  return told;
}
