/** Whether a host name or an address is a machine's own, whatever the machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|.*\.localhost|127\.[0-9.]+|0\.0\.0\.0|\[?(::1|::|0:0:0:0:0:0:0:1)\]?)$/i.test(host);
}
