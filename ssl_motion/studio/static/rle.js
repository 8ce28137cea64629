// Masks as COCO's compressed run lengths: column by column, 0 first.

export function runLengths(counts) {
  const runs = [];
  let value = 0, shift = 0;
  for (let place = 0; place < counts.length; place++) {
    const bits = counts.charCodeAt(place) - 48;
    value += (bits & 31) * 2 ** shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) value -= 2 ** shift;
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
    value = 0;
    shift = 0;
  }
  return runs;
}

// Alpha of a mask on a grid of at most `longest` pixels a side: {width, height, data}, data row by row, 1 on the object.
export function decode({ size: [height, width], counts }, longest = 2048) {
  const full = new Uint8Array(height * width);
  let place = 0, on = 0;
  for (const run of runLengths(counts)) {
    if (on) full.fill(1, place, place + run);
    place += run;
    on = 1 - on;
  }
  const scale = Math.min(1, longest / Math.max(height, width));
  const rows = Math.max(1, Math.round(height * scale)), columns = Math.max(1, Math.round(width * scale));
  const data = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const y = Math.min(height - 1, Math.floor(((row + 0.5) * height) / rows));
    for (let column = 0; column < columns; column++) {
      const x = Math.min(width - 1, Math.floor(((column + 0.5) * width) / columns));
      data[row * columns + column] = full[x * height + y];
    }
  }
  return { width: columns, height: rows, data };
}
