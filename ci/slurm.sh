#!/bin/bash
# A small real Slurm on one Debian machine, for the end-to-end tests over the
# sandbox's Slurm runner: four nodes of 16 pretended CPUs on loopback, with
# accounting through slurmdbd and MariaDB.
#
#   slurm.sh start   install what is missing, configure, start (idempotent; root)
#   slurm.sh stop    stop what start started (root)
#   slurm.sh env     print the variables a client needs, as export lines
#
# Configuration and state are in SLURM_LAB_DIR (/var/lib/reframe-firecrest-slurm
# by default); /etc/slurm is neither read nor written.
set -euo pipefail

dir=${SLURM_LAB_DIR:-/var/lib/reframe-firecrest-slurm}
user=rfmci
account=regression
nodes=(ci1 ci2 ci3 ci4)
ctld_port=26817
dbd_port=26819
first_node_port=26901

munge_socket=$dir/run/munge.sock
export SLURM_CONF=$dir/etc/slurm.conf
# The MariaDB client library finds the server's socket here, in slurmdbd too,
# so that the database needs neither a TCP port nor a password.
export MYSQL_UNIX_PORT=$dir/db/mariadb.sock

die() { echo "slurm.sh: $*" >&2; exit 1; }

need_root() { [ "$(id -u)" = 0 ] || die "$1 has to run as root"; }

# --- daemons ----------------------------------------------------------------

# daemon NAME ACTION...: NAME is the program, or slurmd-NODE
daemon() { start-stop-daemon --quiet --oknodo --pidfile "$dir/run/$1.pid" --exec "/usr/sbin/${1%-*}" "${@:2}"; }

running() { daemon "$1" --status; }

launch() { daemon "$1" --start --background --make-pidfile --output "$dir/log/$1.out" -- "${@:2}"; }

halt() { daemon "$1" --stop --retry TERM/10/KILL/5 --remove-pidfile; }

# await SECONDS DAEMON COMMAND...: until the command succeeds, while the daemon runs
await() {
    local deadline=$((SECONDS + $1)) log=$dir/log/$2.out
    until "${@:3}" >/dev/null 2>&1; do
        sleep 0.2
        running "$2" || die "$2 ended: $(tail -n 1 "$log")"
        [ "$SECONDS" -lt "$deadline" ] || die "$2 is not ready after $1 s, see $log"
    done
}

# --- installation and configuration -----------------------------------------

install_packages() {
    [ -e /etc/debian_version ] || die "this is not Debian: install Slurm by hand, or use a Debian 12 machine"
    local missing=() package
    for package in slurm-wlm slurmdbd munge mariadb-server; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    # The packages' own services would take the default ports and /etc/slurm.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        install -m 755 /dev/stdin /usr/sbin/policy-rc.d <<< $'#!/bin/sh\nexit 101'
    fi
    echo "installing ${missing[*]}"
    local log
    log=$(mktemp)
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
        > "$log" 2>&1 < /dev/null || die "apt-get failed: $(grep -m 1 '^E:' "$log"), see $log"
    rm -f "$log"
}

configure() {
    id -u "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
    install -d -m 755 "$dir" "$dir"/{etc,run,log,ctld,slurmd}
    install -d -m 755 -o "$user" -g "$user" "$dir/scratch"
    install -d -m 700 -o mysql -g mysql "$dir/db"
    [ -s "$dir/etc/munge.key" ] || (umask 077 && head -c 128 /dev/urandom > "$dir/etc/munge.key")
    [ -d "$dir/db/mysql" ] || mariadb-install-db --no-defaults --user=mysql --datadir="$dir/db" --skip-test-db \
        > "$dir/log/mariadb-install.out" 2>&1 || die "the database was not made, see $dir/log/mariadb-install.out"
    local binding
    binding=$(loopback_only)
    write_slurm_conf "$binding" > "$SLURM_CONF"
    # Slurm 22.05's slurmdbd looks for its file beside SLURM_CONF.
    (umask 077 && write_slurmdbd_conf "$binding" > "$dir/etc/slurmdbd.conf")
    # Without this slurmd ends where no cgroup file system is mounted to detect the version from.
    echo "CgroupPlugin=cgroup/v1" > "$dir/etc/cgroup.conf"
}

# Without batch_sched_delay=0 a job waits up to 3 s for idle nodes.
write_slurm_conf() {
    cat <<EOF
ClusterName=rfmci
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmUser=root
AuthInfo=socket=$munge_socket
$1
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/slurmd/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
ReturnToService=2
SchedulerParameters=batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$dbd_port
AccountingStorageEnforce=associations
AccountingStoragePass=$munge_socket
AccountingStoreFlags=job_script
PartitionName=normal Nodes=ALL Default=YES DefaultTime=10 MaxTime=1440
PartitionName=debug Nodes=ALL DefaultTime=5 MaxTime=30
EOF
    local i
    for i in "${!nodes[@]}"; do
        echo "NodeName=${nodes[i]} NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((first_node_port + i))" \
            "CPUs=16 RealMemory=4000"
    done
}

# With these parameters Slurm's programs listen on the address that the host
# name resolves to, and only there; so they need a name that is on loopback.
loopback_only() {
    case $(getent ahostsv4 "$(hostname)") in
        127.*) echo CommunicationParameters=NoCtldInAddrAny,NoInAddrAny ;;
        *) echo "slurm.sh: $(hostname) is not a name of loopback, so Slurm listens on all addresses" >&2 ;;
    esac
}

write_slurmdbd_conf() {
    cat <<EOF
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$dbd_port
SlurmUser=root
AuthInfo=$munge_socket
$1
PidFile=$dir/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
EOF
}

# --- commands ---------------------------------------------------------------

# sacctmgr fails for existing entries, so only the last step is checked.
associate() {
    [ -n "$(sacctmgr -nP list assoc cluster=rfmci user="$user" account="$account" format=user)" ] && return
    sacctmgr -iQ add cluster rfmci >/dev/null || true
    sacctmgr -iQ add account "$account" cluster=rfmci >/dev/null || true
    sacctmgr -iQ add user "$user" account="$account" >/dev/null || die "user $user was not added to account $account"
}

controller_up() { scontrol ping | grep -q UP; }

no_jobs() { [ -z "$(squeue -h)" ]; }

all_nodes_up() { [ "$(sinfo -hNp normal -t idle,mixed,allocated -o %N | wc -l)" = ${#nodes[@]} ]; }

start() {
    need_root start
    install_packages
    configure
    launch munged --foreground --socket="$munge_socket" --key-file="$dir/etc/munge.key" \
        --pid-file="$dir/run/munged.pid" --seed-file="$dir/etc/munge.seed"
    await 10 munged munge -n -S "$munge_socket"
    launch mariadbd --no-defaults --user=mysql --datadir="$dir/db" --socket="$MYSQL_UNIX_PORT" \
        --skip-networking
    await 60 mariadbd mariadb-admin --no-defaults ping
    launch slurmdbd -D
    await 60 slurmdbd sacctmgr -n list cluster
    associate
    launch slurmctld -D
    await 30 slurmctld controller_up
    local node
    for node in "${nodes[@]}"; do
        mkdir -p "$dir/slurmd/$node"
        launch "slurmd-$node" -D -N "$node"
    done
    await 30 "slurmd-$node" all_nodes_up
    bash "$(dirname "${BASH_SOURCE[0]}")/modules.sh" "$dir/modules" > "$dir/log/modules.out"
    echo "Slurm is up: ${#nodes[@]} nodes, user $user, state in $dir"
}

stop() {
    need_root stop
    [ -d "$dir/run" ] || return 0
    if running slurmctld; then
        squeue -h -o %A | xargs -r scancel
        # Stop the daemons even if jobs are still running after 30 s.
        (await 30 slurmctld no_jobs) || true
    fi
    local node
    for node in "${nodes[@]}"; do halt "slurmd-$node"; done
    halt slurmctld
    halt slurmdbd
    halt mariadbd
    halt munged
}

print_env() {
    [ -e "$SLURM_CONF" ] || die "nothing in $dir yet: run '$0 start' first"
    printf 'export %s=%q\n' SLURM_CONF "$SLURM_CONF" SLURM_LAB_USER "$user" SLURM_LAB_SCRATCH "$dir/scratch" \
        SLURM_LAB_MODULES "$dir/modules"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    env) print_env ;;
    *) die "usage: slurm.sh start|stop|env" ;;
esac
