/** The two systemd units: a socket, which systemd holds, and the supervisor, which takes it over. systemd.unit(5). */

export interface ServiceUnits {
  readonly runDir: string;
  readonly stateDir: string;
  /** The supervisor's command line, as `supervisorCommand` gives it. */
  readonly supervisor: readonly string[];
  /** The command line `orlop`. */
  readonly program: readonly string[];
  /** Who may use the socket besides root. */
  readonly group: string;
  /** A second name for the socket; undefined: none. */
  readonly link: string | undefined;
}

export const serviceUnit = "orlop.service";
export const socketUnit = "orlop.socket";

/** By the unit's name. */
export function unitTexts(units: ServiceUnits): Readonly<Record<typeof serviceUnit | typeof socketUnit, string>> {
  return { [socketUnit]: socketText(units), [serviceUnit]: serviceText(units) };
}

function socketText({ runDir, group, link }: ServiceUnits): string {
  return `[Unit]
Description=Orlop: the Docker Engine API

[Socket]
ListenStream=${plain(`${runDir}/orlop.sock`)}
SocketMode=0660
SocketGroup=${plain(group)}
DirectoryMode=0711
RemoveOnStop=yes
${link === undefined ? "" : `Symlinks=${plain(link)}\n`}
[Install]
WantedBy=sockets.target
`;
}

/**
 * Containers and their monitors are in groups of their own, beside the unit's; `KillMode=process` leaves what else is there.
 * So stopping or restarting the unit does nothing to them: only when the machine itself stops, ExecStop ends them.
 */
function serviceText({ runDir, stateDir, supervisor, program }: ServiceUnits): string {
  const leave = [...program, "--run-dir", runDir, "--root", stateDir, "service", "leave"];
  return `[Unit]
Description=Orlop: containers
Requires=${socketUnit}
After=${socketUnit} network.target network-online.target nftables.service firewalld.service ufw.service
RequiresMountsFor=${word(stateDir)}
StartLimitIntervalSec=0

[Service]
Type=notify
EnvironmentFile=-/etc/default/orlop
ExecStart=${supervisor.map(word).join(" ")}
ExecStop=${leave.map(word).join(" ")}
KillMode=process
Restart=on-failure
RestartSec=200ms
RestartPreventExitStatus=125 203
TimeoutStopSec=120
LimitNOFILE=524288
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
Also=${socketUnit}
`;
}

/** One word of a command line: quoted, and nothing in it is a specifier or a variable. */
function word(text: string): string {
  return `"${plain(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$")}"`;
}

/** Where nothing is split into words. */
function plain(text: string): string {
  return text.replaceAll("%", "%%");
}
