// What a session is opened from: files of the browser's machine, or the server's
// sample. A source has take(channels), which says what of it a model gets that may
// take channels as files of their own: {name, notice, parts(signal)}. parts resolves
// to the [field, File] pairs of the form.

import { ask, whole } from "./server.js";

// stem is a name without the extension of a scan. Other endings (1.2.840.10008)
// belong to the name.
export function stem(name) {
  return name.replace(/(?<=.)\.(png|jpe?g|tiff?|dcm|dicom|nii|nii\.gz)$/i, "");
}

// channelOf parts CASE_0001.png into CASE and 0001, as the server does.
function channelOf(file) {
  const found = stem(file.name).match(/^(.+)_(\d{4})$/);
  return found && { name: found[1], number: found[2], file };
}

// local is the source of one or more files. Those of one image's channels go up
// together where the model takes such; of others the first does.
export function local(files) {
  return {
    take(channels) {
      const first = channels && channelOf(files[0]);
      const group = first ? files.map(channelOf).filter((c) => c?.name === first.name) : [];
      const joined = group.length > 1;
      const parts = joined ? group.map((c) => [`file_${c.number}`, c.file]) : [["file", files[0]]];
      return { name: joined ? first.name : files[0].name, notice: leftOut(files, parts), parts: async () => parts };
    },
  };
}

// leftOut says what becomes of several files of which only some are taken.
function leftOut(files, parts) {
  if (files.length === parts.length) {
    return "";
  }
  const taken = parts.map(([, file]) => file.name).join(", ");
  return `${files.length} files were given and the page shows one image at a time: it took ${taken}. The others were left out; segd segment takes whole folders.`;
}

// sample is the source of the server's sample, which is fetched once.
export function sample() {
  const name = "sample.png";
  let file = null;
  return {
    take: () => ({
      name, notice: "",
      parts: async (signal) => {
        file ??= new File([await whole(await ask("v1/sample.png", { signal }), "blob")], name, { type: "image/png" });
        return [["file", file]];
      },
    }),
  };
}
