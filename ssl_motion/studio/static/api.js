// Asking the server. Whatever goes wrong becomes an error with a sentence for people.

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // 0: the server does not answer
  }
}

export async function ask(path, { method = "GET", body, raw, signal } = {}) {
  const options = { method, signal, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  } else if (raw !== undefined) {
    options.body = raw;
    options.headers["Content-Type"] = "application/octet-stream";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the server does not answer: is it still running?", 0);
  }
  if (answer.ok) return answer;
  let text = await answer.text();
  try {
    text = JSON.parse(text).error ?? text;
  } catch {
    // plain text already
  }
  throw new Refused(text || `the server answered ${answer.status}`, answer.status);
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

export function address(picture) {
  return `${encodeURIComponent(picture.origin)}/${encodeURIComponent(picture.name)}`;
}

export function sameAs(picture, other) {
  return Boolean(picture && other && picture.origin === other.origin && picture.name === other.name);
}

export async function download(path, name) {
  save(URL.createObjectURL(await (await ask(path)).blob()), name);
}

export function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Answers the newest question only: while one is being answered, those in between are forgotten.
export class Latest {
  #next = null;
  #busy = false;

  constructor(answer) {
    this.answer = answer;
  }

  ask(...question) {
    this.#next = question;
    if (!this.#busy) this.#run();
  }

  async #run() {
    this.#busy = true;
    while (this.#next) {
      const question = this.#next;
      this.#next = null;
      await this.answer(...question, () => this.#next !== null);
    }
    this.#busy = false;
  }
}
