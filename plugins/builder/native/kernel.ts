/** Whether `release`, as uname says it, is before a version of Linux. */
export function isKernelBefore(release: string, [major, minor]: readonly [number, number]): boolean {
  const [thisMajor = 0, thisMinor = 0] = release.split(/[.-]/).map(Number);
  return thisMajor < major || thisMajor === major && thisMinor < minor;
}
