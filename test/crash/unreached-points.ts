/**
 * Points that no life of test/crash/ reaches: why, and the test that has the step instead. A point that a life reaches must
 * not stand here, and a test that does not name the step is no excuse.
 */

export interface Excuse {
  readonly why: string;
  /** The file, from test/. */
  readonly testedIn: string;
  /** It depends on the machine whether a life reaches it. */
  readonly sometimes?: true;
}

const userNamespace = { why: "user namespaces are for rootless use", testedIn: "kernel/steps-namespace.test.ts" };
const volume = { why: "no life asks for this of a volume or mount", testedIn: "kernel/steps-volume.test.ts" };
const network = { why: "no container of a life makes or leaves networks", testedIn: "api/networks.test.ts" };
const netd = { why: "netd runs already, and serves no names here", testedIn: "kernel/netd-crash.test.ts" };
const once = { why: "done once for all containers, before the points are watched", testedIn: "api/networks.test.ts" };
const layer = { why: "layers are unpacked, no container's life has that", testedIn: "kernel/layers.test.ts" };
const copies = { why: "lives are on overlay", testedIn: "kernel/snapshots.test.ts" };
const copy = { why: "nothing is copied into a container in a life", testedIn: "kernel/copy.test.ts" };
const tree = { why: "nothing is read out of a container in a life", testedIn: "kernel/tree.test.ts" };

const pull = { why: "a pull has a crash test of its own", testedIn: "images/crash.test.ts" };
export const unreachedPoints: Readonly<Record<string, Excuse>> = {
  "step.await": userNamespace,
  "step.id-map": userNamespace,
  "step.release": userNamespace,
  "step.device-program": { why: "cgroup v2 only; this is v1", testedIn: "kernel/device-program.test.ts" },
  "step.kill-target": { why: "no life loses the monitor of an exec", testedIn: "exec/exec.test.ts" },
  "step.chown": { why: "for user namespaces", testedIn: "kernel/steps-file.test.ts" },
  "step.hold": volume,
  "step.root-bind-below": volume,
  "root-bind-below.opened": volume,
  "step.read": { why: "engine reads what it needs itself", testedIn: "kernel/steps-file.test.ts" },
  "step.usage": { why: "asked for by ps -s and prune alone", testedIn: "kernel/steps-file.test.ts" },
  "step.root-file": { why: "a container's own files are bound", testedIn: "kernel/steps-root.test.ts" },
  "step.root-mkdir": { why: "mount points are made by the mounts", testedIn: "kernel/steps-root.test.ts" },
  "container.restart.booted": { why: "no life has a boot in it", testedIn: "exec/restart.test.ts" },
  "container.restart.after-boot": { why: "no life has a boot in it", testedIn: "exec/restart.test.ts" },
  "network.default.recorded": once,
  "step.socket-option": {
    why: "where iptables-legacy has no rules",
    testedIn: "kernel/socket-option.test.ts",
    sometimes: true,
  },
  "network.rules.repaired": { why: "nobody else changes rules here", testedIn: "api/other-firewalls.test.ts" },
  "network.connect.recorded": network,
  "network.create.recorded": network,
  "network.disconnect.recorded": network,
  "network.remove.recorded": network,
  "netd.resolver.open": netd,
  "netd.resolver.set": netd,
  "blob.received": pull,
  "blob.renamed": pull,
  "blob.synced": pull,
  "images.add.whole": pull,
  "images.change.begun": pull,
  "images.change.indexed": pull,
  "images.change.recorded": pull,
  "images.change.synced": pull,
  "layer.facts": pull,
  "layer.filled": pull,
  "layer.renamed": pull,
  "layout.written": pull,
  "pull.layers": pull,
  "pull.resolved": pull,
  "copy-tree.whole": copies,
  "step.copy-tree": copies,
  "step.layer-into": copy,
  "step.layer-parent": copy,
  "step.layer-place": copy,
  "step.tree-below": tree,
  "step.tree-stat": tree,
  "step.tree-walk": tree,
  "tree.entry": tree,
  "step.layer": layer,
  "step.layer-data": layer,
  "step.layer-directory": layer,
  "step.layer-end": layer,
  "step.layer-file": layer,
  "step.layer-link": layer,
  "step.layer-node": layer,
  "layer-node.made": copy,
  "step.layer-opaque": layer,
  "step.layer-shared-data": layer,
  "step.layer-symlink": layer,
  "step.layer-time": layer,
  "step.layer-whiteout": layer,
  "step.layer-xattr": layer,
  "step.shared-memory": layer,
  "step.write-back": { why: "nothing large is pulled or loaded in a life", testedIn: "kernel/write-back.test.ts" },
  "step.taken": layer,
};
