/** What the test of the service types in the virtual machine, before the reboot and after it. */

/** Each check says what it found when it fails, and ends the machine with that. */
const checks = `
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root
docker() { command docker -H unix:///run/orlop/orlop.sock "$@"; }
orlop=/orlop/dist/orlop
finish() { echo; echo "guest task ended with $1"; sync; systemctl start --no-block $2.target; exit; }
fail() { echo "FAILED: $*"; journalctl -b --no-pager | tail -80; cat /run/orlop/engine.log; finish 1 poweroff; }
is() { [ "$2" = "$3" ] || fail "$1: '$2', not '$3'"; echo "ok: $1"; }
until_is() { n=0; while [ "$(eval "$2" 2>/dev/null)" != "$3" ]; do n=$((n+1)); [ $n -lt 3000 ] || fail "$1: '$(eval "$2" 2>&1)', not '$3'"; sleep 0.1; done; echo "ok: $1"; }
pids() { docker inspect -f '{{.State.Pid}}' kept plain | tr '\\n' ' '; }
supervisor() { systemctl show -p MainPID --value orlop.service; }
sleepers() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep 7000[12]' | sort -u | wc -l; }
`;

export const beforeBoot = `${checks}
"$orlop" service status && fail "status of a service that is not installed"
"$orlop" run -d --init --restart always --name kept host sleep 70001 >/dev/null || fail "run by hand"
docker run -d --init --name plain host sleep 70002 >/dev/null || fail "docker run"
before=$(pids)
chmod 777 /orlop; "$orlop" service install && fail "installed from a directory that all can write"; chmod 755 /orlop

echo users:x:100: >>/etc/group
"$orlop" service install --group users --docker-socket || fail "install"
is "containers are left by the installation" "$(pids)" "$before"
is "both units are active" "$(systemctl is-active orlop.service orlop.socket | tr '\\n' ' ')" "active active "
is "both units are enabled" "$(systemctl is-enabled orlop.service orlop.socket | tr '\\n' ' ')" "enabled enabled "
is "the socket" "$(stat -c '%a %U %G' /run/orlop/orlop.sock)" "660 root users"
is "its directory" "$(stat -c '%a' /run/orlop)" "711"
is "Docker's socket" "$(command docker -H unix:///run/docker.sock ps -q | wc -l)" "2"
is "containers are beside the unit" "$(for p in $before; do cut -d: -f3 /proc/$p/cgroup; done | grep -c '^/orlop/')" "2"
"$orlop" service status || fail status

old=$(supervisor)
systemctl restart orlop || fail "restart"
is "a restart leaves containers" "$(pids)" "$before"
[ "$(supervisor)" != "$old" ] || fail "the supervisor is the same"
kill -9 "$(supervisor)"
until_is "a killed supervisor is started again" 'docker ps -q | wc -l' 2
is "containers live through that" "$(pids)" "$before"
systemctl daemon-reexec
is "groups live through systemd's own restart" "$(for p in $before; do cut -d: -f3 /proc/$p/cgroup; done | grep -c '^/orlop/')" "2"
systemctl stop orlop.service
is "a stop leaves containers" "$(sleepers)" "2"
is "a client starts the service again" "$(pids)" "$before"
"$orlop" system stop
until_is "the engine's own stop stops the service" 'systemctl is-active orlop.service' inactive
is "and the next client starts it" "$(pids)" "$before"

touch /rebooted
finish 0 reboot
`;

export const afterBoot = `${checks}
journalctl -b -1 -u orlop.service --no-pager | grep -q '2 containers were stopped' || fail "nobody stopped them at the shutdown"
until_is "the container is back, and nobody asked" sleepers 1
is "one without a policy ended as it was told to" "$(docker inspect -f '{{.State.ExitCode}}{{.State.Error}}' plain)" "143"
is "the other runs" "$(docker ps --format '{{.Names}}')" "kept"
docker rm plain >/dev/null
before=$(docker inspect -f '{{.State.Pid}}' kept)

"$orlop" service uninstall || fail "uninstall"
is "no unit is left" "$(find /etc/systemd /run/systemd/system -name '*orlop*'; systemctl list-units --all --no-legend 'orlop.*')" ""
is "no socket is left" "$(ls /run/docker.sock /run/orlop/orlop.sock 2>/dev/null)" ""
"$orlop" ps >/dev/null
is "the container is left" "$(docker inspect -f '{{.State.Pid}}' kept)" "$before"
"$orlop" rm -f kept >/dev/null
"$orlop" system stop
is "nothing runs" "$(sleepers)" "0"
finish 0 poweroff
`;
