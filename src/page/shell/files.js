// Files as people give them: dropped, chosen, in folders, pasted. Each becomes { file, path, isInFolder }.

// As many as the library looks at in one folder.
const MAX_FILES = 200000;

const alone = (file) => ({ file, path: file.name, isInFolder: false });

// All files below a folder that is known by its handle.
const filesOf = async (handle, path, found) => {
  for await (const [name, inside] of handle.entries()) {
    if (found.length > MAX_FILES) {
      return;
    }
    if (inside.kind === "directory") {
      await filesOf(inside, `${path}/${name}`, found);
    } else {
      found.push({ file: await inside.getFile(), path: `${path}/${name}`, isInFolder: true });
    }
  }
};

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

const someEntries = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

// All files below a folder. A browser gives its entries in parts.
const filesBelow = async (folder, found) => {
  const reader = folder.createReader();
  for (let entries = await someEntries(reader); entries.length > 0; entries = await someEntries(reader)) {
    for (const entry of entries) {
      if (found.length > MAX_FILES) {
        return;
      }
      if (entry.isDirectory) {
        await filesBelow(entry, found);
      } else {
        found.push({ file: await fileOf(entry), path: entry.fullPath.replace(/^\//u, ""), isInFolder: true });
      }
    }
  }
};

/** What was dropped. To be called before anything is waited for: a browser forgets it then. */
export const dropped = (transfer) => {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const taken = items.map((item) => {
    const entry = item.webkitGetAsEntry?.();
    // Chromium reads no entries in a page from disk, but handles; Firefox has no handles.
    return { entry, file: item.getAsFile(), handle: entry?.isDirectory ? item.getAsFileSystemHandle?.() : null };
  });
  return (async () => {
    const found = [];
    for (const { entry, file, handle } of taken) {
      const folder = await handle;
      if (folder) {
        await filesOf(folder, folder.name, found);
      } else if (entry?.isDirectory) {
        await filesBelow(entry, found);
      } else if (file) {
        found.push(alone(file));
      }
    }
    return found;
  })();
};

/** What was chosen in a dialog of the browser. */
export const chosen = (input) => {
  const files = [...input.files].slice(0, MAX_FILES + 1);
  // The same files can be chosen again.
  input.value = "";
  return files.map((file) => {
    const path = file.webkitRelativePath;
    return path ? { file, path, isInFolder: true } : alone(file);
  });
};

/** A listing that was pasted. */
export const pasted = (text, number) => alone(new File([text], number === 1 ? "pasted.txt" : `pasted-${number}.txt`));
