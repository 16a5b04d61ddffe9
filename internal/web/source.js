// Sources of a session: local files, or the server's sample. A source has
// take(channels), which returns {name, notice, parts(signal)}; channels says whether
// the model may take several channels in separate files. parts resolves to the
// [field, File] pairs of the form.

import { ask, whole } from "./server.js";

// stem is a name without the extension of an image format. Other endings
// (1.2.840.10008) are part of the name.
export function stem(name) {
  return name.replace(/(?<=.)\.(png|jpe?g|tiff?|dcm|dicom|nii|nii\.gz|nrrd|nhdr|mha|mhd|hdr|mgh|mgz)$/i, "");
}

// channelOf splits CASE_0001.png into CASE and 0001, as the server does.
function channelOf(file) {
  const found = stem(file.name).match(/^(.+)_(\d{4})$/);
  return found && { name: found[1], number: found[2], file };
}

// local is the source for one or more local files. The channels of one image are
// sent together if the model takes several, and so are the header of a volume and the
// files of its values; otherwise only the first file is sent.
export function local(files) {
  return {
    take(channels) {
      const header = files.find((f) => /\.(mhd|nhdr|hdr)(\.gz)?$/i.test(f.name));
      if (header && files.length > 1) {
        const parts = [header, ...files.filter((f) => f !== header)].map((f) => ["file", f]);
        return { name: header.name, notice: "", parts: async () => parts };
      }
      const first = channels && channelOf(files[0]);
      const group = first ? files.map(channelOf).filter((c) => c?.name === first.name) : [];
      const joined = group.length > 1;
      const parts = joined ? group.map((c) => [`file_${c.number}`, c.file]) : [["file", files[0]]];
      return { name: joined ? first.name : files[0].name, notice: leftOut(files, parts), parts: async () => parts };
    },
  };
}

// leftOut returns a notice if the page uses only some of the chosen files.
function leftOut(files, parts) {
  if (files.length === parts.length) {
    return "";
  }
  const taken = parts.map(([, file]) => file.name).join(", ");
  return `You chose ${files.length} files, but the page shows one image at a time: it opened ${taken}. Use segd segment for whole folders.`;
}

// sample is the source for the server's sample, which it fetches only once.
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
