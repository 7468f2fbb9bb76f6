/** A store that can be recognised as one, and does nothing. */
export function anyStore(path: string) {
  const methods = (...names: string[]) => Object.fromEntries(names.map((name) => [name, () => {}]));
  return {
    path,
    blobs: methods("scratch", "path", "size", "adopt", "put", "get"),
    stages: methods("whole", "record", "all", "put", "history", "addHistory"),
    memo: methods("get", "put"),
    locks: methods("take", "claim", "claimed"),
    housekeeping: methods("check", "forget", "sweep", "directory", "makeRoom", "sections"),
  };
}
