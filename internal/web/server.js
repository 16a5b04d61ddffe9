// Requests to the server, and readable messages for what can go wrong.

// Problem is an error for people, with a title and a detail.
export class Problem extends Error {
  constructor(title, detail) {
    super(detail);
    this.title = title;
  }
}

// ask fetches an address relative to the page and turns failures into a Problem.
// If its signal aborts, it rejects with the AbortError of fetch.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (err) {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The server does not answer", "Check that segd is running and the network is up, then try again.");
  }
  if (answer.ok) {
    return answer;
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(heading(problem), sentence(problem.detail ?? `the server answered with status ${answer.status}`));
}

// whole reads an answer to its end with a method of Response such as arrayBuffer.
export function whole(answer, method) {
  return answer[method]().catch((err) => {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The answer was cut off", "Try again. If it happens again, see the server's log.");
  });
}

// sentence turns a detail such as "scanio: malformed input: 12 bytes" into a
// sentence without package and kind; the heading states the kind.
function sentence(detail) {
  const text = detail.replace(/^[a-z0-9]+: [a-z ]+: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// heading says briefly what went wrong, by the stable type of the problem.
function heading(problem) {
  switch (problem.type?.replace("urn:segd:problem:", "")) {
    case "malformed-input": return "This file is damaged or incomplete";
    case "too-large": return "This file is too large";
    case "unsupported": return "This kind of file is not supported";
    case "unprocessable": return "This file cannot be segmented";
    case "not-found": return "This model or frame does not exist";
    case "busy": return "The server is busy. Try again in a moment";
    case "timeout": return "This took too long";
    case "slow-upload": return "The upload took too long";
    case "internal": return "The server had an error";
  }
  return problem.title ?? "Something went wrong";
}
