/** Generated names, for containers that are created without one: "quiet_tidepool". */

const qualities =
  "amber bold brisk calm clever crisp deft eager fair fleet gentle glad hardy humble jolly keen kind lively lucid mellow merry neat nimble noble patient plucky quick quiet ready rustic serene sharp shiny silent smooth snug sober solid spry stable steady sturdy subtle sunny swift tidy trusty upbeat vivid warm wise witty zesty".split(
    " ",
  );
const things =
  "acorn anchor atoll badger beacon birch bison bramble breaker brook canyon cedar cliff cobble comet copper coral crane creek delta dune falcon fern fjord flint gale garnet glacier grove harbor heron hollow island jetty juniper kelp lagoon lantern larch lynx maple marsh meadow mesa otter pebble pier pine plover prairie quartz raven reef ridge river rowan sable sandbar shoal sparrow spruce summit thicket tidepool tundra willow wren".split(
    " ",
  );

/** @param isFree tells whether a name can be taken */
export function generateName(isFree: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint16Array(3));
    const name = `${qualities[a % qualities.length]}_${things[b % things.length]}`;
    const tried = attempt < 5 ? name : `${name}${c % 1000}`;
    if (isFree(tried)) return tried;
  }
}
