/** Platforms as clients name them. */

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ["amd64", "x86_64", "386", "i386"],
  arm64: ["arm64", "aarch64"],
};

/** Whether a container of this platform ("linux/amd64", "arm64/v8") cannot run on this machine. */
export function isUnknownPlatform(platform: string, arch: string = process.arch): boolean {
  const words = platform.toLowerCase().split("/");
  const [os, machine = ""] = words[0] === "linux" ? words : ["linux", ...words];
  return os !== "linux" || (machine !== "" && !(architectures[arch] ?? []).includes(machine));
}
