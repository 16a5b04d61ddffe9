// Requests to the server, and what can go wrong with them in words.

// Problem is an error in words: a title and what lies behind it.
export class Problem extends Error {
  constructor(title, detail) {
    super(detail);
    this.title = title;
  }
}

// ask fetches an address below the page's and turns what fails into a Problem.
// A request that its signal gives up rejects with the AbortError of fetch.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (err) {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The server does not answer", "Is segd still running, and is the network up? Then try again.");
  }
  if (answer.ok) {
    return answer;
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(heading(problem), sentence(problem.detail ?? `the server answered with status ${answer.status}`));
}

// whole reads an answer to its end, by a method of Response such as arrayBuffer.
export function whole(answer, method) {
  return answer[method]().catch((err) => {
    if (err.name === "AbortError") {
      throw err;
    }
    throw new Problem("The answer was cut off", "Try again; if that happens again, the server's log says why.");
  });
}

// sentence makes one of a detail, which begins with a package and a kind, as
// in "scanio: malformed input: 12 bytes": the heading says the kind.
function sentence(detail) {
  const text = detail.replace(/^[a-z0-9]+: [a-z ]+: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// heading says in a few words what went wrong, by the problem's stable type.
function heading(problem) {
  switch (problem.type?.replace("urn:segd:problem:", "")) {
    case "malformed-input": return "This file is damaged or cut off";
    case "too-large": return "This is too large";
    case "unsupported": return "This kind of file is not supported";
    case "unprocessable": return "This cannot be segmented";
    case "not-found": return "There is no such model or frame";
    case "busy": return "The server is busy; try again in a moment";
    case "timeout": return "This took too long";
    case "slow-upload": return "The upload took too long";
    case "internal": return "The server failed";
  }
  return problem.title ?? "Something went wrong";
}
