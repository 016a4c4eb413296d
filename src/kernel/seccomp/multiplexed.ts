/**
 * Calls that i386 programs can also make through socketcall(2) and ipc(2), whose first argument says which (linux/net.h,
 * linux/ipc.h). The call's own arguments are behind a pointer, where no filter can look: only its name counts there, as in
 * libseccomp.
 */

import type { Condition } from "./condition.ts";

interface Multiplexed {
  readonly carrier: "socketcall" | "ipc";
  readonly condition: Condition;
}

const socketcall = [
  ...["socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv"],
  ...["sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg"],
  "sendmmsg",
];

const ipc: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

function through(carrier: Multiplexed["carrier"], call: number): Multiplexed {
  return { carrier, condition: { index: 0, comparison: "eq", value: BigInt(call), mask: 0xffff_ffff_ffff_ffffn } };
}

export const multiplexed: ReadonlyMap<string, Multiplexed> = new Map([
  ...socketcall.map((name, at) => [name, through("socketcall", at + 1)] as const),
  ...Object.entries(ipc).map(([name, call]) => [name, through("ipc", call)] as const),
]);
